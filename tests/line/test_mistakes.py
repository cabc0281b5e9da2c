# SPDX-License-Identifier: Apache-2.0
"""A line with mistakes in its files does not open, and the station touches no board."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.line import RECIPE, Line
from tests.builders.station_demo import ROOT
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

# The shipped text of recipe or manifest, its spoiled replacement, and the place that the message must name.
MISTAKES = [
    ('"STMicroelectronics"', f'"{"ü" * 17}"', "product: VENDOR_NAME"),
    ('"STM32WB Demo App"', '"Lamp\\u0007"', "product: PRODUCT_NAME"),
    ("hardware_version = 1\n", "hardware_version = 1\ndevice_type = 0x0100\n", "product.certification_declaration: "),
    ('"LT26{:08d}"', '"LT26"', "lot.serial_number: "),
    ('provisioning = "provisioning-flash"', 'provisioning = "provisioning-secure"', "images.provisioning: "),
    ('kind = "operational"', 'kind = "provisioning"', "images.operational: "),
    ('key_storage = "flash"', 'key_storage = "secure"', "images.operational: "),
    ('file = "operational-flash.bin"', 'file = "provisioning-flash.bin"', "image[3].sha256: "),
]


def test_nine_mistakes_are_nine_messages(tmp_path: Path) -> None:
    """Each message has its file and place; the command prints all of them and exits with 2."""
    recipe = _spoiled(tmp_path)
    with Line.standing(tmp_path / "line", 2) as line:
        standing = Standing(line)
        line.processes["daemon"].terminate()
        line.processes["daemon"].wait(300)
        standing.bench("plug", "1", "2")
        (line.folder / "pki" / "paa.pem").write_text("not a certificate")  # the ninth
        config = line.folder / "line.toml"
        config.write_text(config.read_text().replace(str(RECIPE), str(recipe)))
        command = [sys.executable, "-m", "station", "run", "--config", str(config)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=300)
        journal = [json.loads(text) for text in (line.folder / "bench.jsonl").read_text().splitlines()]
    assert done.returncode == 2
    told = done.stderr.splitlines()
    assert len(told) == 9, done.stderr
    places = [f"{_file_of(place, tmp_path)}: {place}" for _, _, place in MISTAKES] + [f"{config}: pki.paa: "]
    for place in set(places):
        assert sum(place in text for text in told) == places.count(place), (place, told)
    assert not [entry for entry in journal if entry["event"] == "invocation"]


def _file_of(place: str, folder: Path) -> Path:
    """The manifest has its own mistakes; that the recipe asks for another kind of image is the recipe's."""
    return folder / ("manifest.toml" if place.startswith("image[") else "recipe.toml")


def _spoiled(folder: Path) -> Path:
    """The shipped recipe with every mistake; the operational image's mistakes are in its manifest."""
    recipe, manifest = folder / "recipe.toml", folder / "manifest.toml"
    recipe.write_text(RECIPE.read_text().replace("../../firmware_images/manifest.toml", str(manifest)))
    parts = (ROOT / "firmware_images" / "manifest.toml").read_text().split("[[image]]\n")
    operational = next(at for at, part in enumerate(parts) if 'name = "operational-flash"' in part)
    for old, new, place in MISTAKES:
        if place in {"images.operational: ", "image[3].sha256: "}:
            assert old in parts[operational], old
            parts[operational] = parts[operational].replace(old, new)
        else:
            assert old in recipe.read_text(), old
            recipe.write_text(recipe.read_text().replace(old, new))
    manifest.write_text("[[image]]\n".join(parts).replace('file = "', f'file = "{ROOT}/firmware_images/'))
    declaration = ROOT / "config" / "recipes" / "certification-declaration.der"
    recipe.write_text(recipe.read_text().replace("certification-declaration.der", str(declaration)))
    return recipe
