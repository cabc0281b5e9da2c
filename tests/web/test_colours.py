# SPDX-License-Identifier: Apache-2.0
"""The page's colours: every word can be read on what lies behind it, and pass, fail and void differ for every kind of eye."""

import math
import re
from itertools import combinations

import pytest

from station.web.assets import FOLDER

Colour = tuple[float, float, float]
CSS = (FOLDER / "page.css").read_text()
READABLE, SEEN = 4.5, 3.0  # WCAG 2.2 AA, for text and for edges
APART = 0.1  # in Oklab: a tenth is a plain difference

# Machado, Oliveira, Fernandes 2009, at severity 1.0; in linear RGB.
EYES = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
    "grey": ((0.2126, 0.7152, 0.0722),) * 3,
}


def palette(theme: str) -> dict[str, str]:
    """The colours of a theme by their names."""
    found = {}
    for name, value in re.findall(r"--([\w-]+): (#[0-9a-f]{6}|light-dark\([^)]+\));", CSS.split("}", 1)[0]):
        colours = re.findall(r"#[0-9a-f]{6}", value)
        found[name] = colours[-1 if theme == "dark" else 0]
    return found


def linear(colour: str) -> Colour:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return _linear(red), _linear(green), _linear(blue)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def luminance(colour: str) -> float:
    return _times(EYES["grey"], linear(colour))[0]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _times(matrix: tuple[Colour, ...], colour: Colour) -> Colour:
    red, green, blue = (sum(a * b for a, b in zip(row, colour, strict=True)) for row in matrix)
    return red, green, blue


def oklab(colour: Colour) -> Colour:
    """Björn Ottosson's perceptual space."""
    to_cones = (
        (0.4122214708, 0.5363325363, 0.0514459929),
        (0.2119034982, 0.6806995451, 0.1073969566),
        (0.0883024619, 0.2817188376, 0.6299787005),
    )
    long, middle, short = _times(to_cones, colour)
    to_lab = (
        (0.2104542553, 0.7936177850, -0.0040720468),
        (1.9779984951, -2.4285922050, 0.4505937099),
        (0.0259040371, 0.7827717662, -0.8086757660),
    )
    return _times(to_lab, (math.cbrt(long), math.cbrt(middle), math.cbrt(short)))


def apart(one: str, other: str, eye: str) -> float:
    seen = [oklab(_clipped(_times(EYES[eye], linear(colour)))) for colour in (one, other)]
    return math.dist(*seen)


def _clipped(colour: Colour) -> Colour:
    red, green, blue = (min(1.0, max(0.0, part)) for part in colour)
    return red, green, blue


@pytest.fixture(params=["dark", "light"])
def colours(request: pytest.FixtureRequest) -> dict[str, str]:
    return palette(request.param)


def test_every_word_can_be_read(colours: dict[str, str]) -> None:
    for state in ("pass", "fail", "void", "out"):
        assert contrast(colours[f"{state}-ink"], colours[state]) >= READABLE, state
    assert contrast(colours["out-ink"], colours["out-stripe"]) >= READABLE
    for name in ("ink", "muted", "empty", "unknown"):
        assert contrast(colours[name], colours["page"]) >= READABLE, name
    for name in ("ink", "waiting", "running"):
        assert contrast(colours[name], colours["tile"]) >= READABLE, name


def test_every_tile_stands_out_from_the_page(colours: dict[str, str]) -> None:
    for name in ("pass-edge", "fail-edge", "void-edge", "out-edge", "empty", "waiting", "running", "unknown"):
        assert contrast(colours[name], colours["page"]) >= SEEN, name


@pytest.mark.parametrize("eye", EYES)
def test_pass_fail_and_void_differ_for_every_kind_of_eye(colours: dict[str, str], eye: str) -> None:
    for one, other in combinations(("pass", "fail", "void"), 2):
        assert apart(colours[one], colours[other], eye) >= APART, (one, other)


def test_green_is_pass_and_nothing_else(colours: dict[str, str]) -> None:
    for name, colour in colours.items():
        red, green, blue = linear(colour)
        is_green = green > 1.5 * red and green > 1.5 * blue and green > 0.05
        assert is_green == (name in {"pass", "pass-edge"}), name
