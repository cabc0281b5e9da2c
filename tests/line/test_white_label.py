# SPDX-License-Identifier: Apache-2.0
"""A line makes a white-label product, and does not open for one whose parts do not fit."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from tests.builders.line import Line
from tests.builders.station_demo import SHORT_DEADLINES
from tests.builders.white_label import STANDS_FOR_OURS, Label, line_folder, write_recipe
from tests.commissioning.flash import Flash, Tag
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

OWN, MAKER = (0xFFF2, 0x8010), (0xFFF1, 0x8004)
WHITE_LABEL = Label(OWN, MAKER, MAKER, (0x8011, OWN[1]), (b"\x77" * 20, STANDS_FOR_OURS))


@contextmanager
def standing(folder: Path, label: Label) -> Iterator[Standing]:
    recipe, place = line_folder(folder, label)
    with Line.standing(place, 1, recipe=recipe) as line:
        yield Standing(line)


def test_a_white_label_product_is_made(tmp_path: Path, secrets_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unit and its label name the product, the DAC its maker. With another declaration or recipe the line does not open."""
    for name, value in SHORT_DEADLINES.items():
        monkeypatch.setenv(name, value)
    with standing(tmp_path, WHITE_LABEL) as line:
        assert line.next_board(1).verdict == "pass"
        (image,) = (line.line.folder / "boards").glob("*/qspi.bin")
        flash = Flash.of(image.read_bytes())
        dac = x509.load_der_x509_certificate(flash.records[Tag.DAC])
        assert (flash.number(Tag.VENDOR_ID), flash.number(Tag.PRODUCT_ID)) == OWN
        assert [each.value for each in dac.subject][-2:] == ["FFF1", "8004"]

        url = json.loads((line.line.folder / "pki" / "ready.json").read_text())["url"]
        monkeypatch.setenv("STATION__PKI__URL", url)
        assert line.line.command("config", "check").returncode == 0
        write_recipe(tmp_path, replace(WHITE_LABEL, dac=OWN))
        assert_refused(line, "rule K4", "vendor 0xFFF2, product 0x8010 is made")
        write_recipe(tmp_path, WHITE_LABEL)
        for wrong, words in (
            (replace(WHITE_LABEL, origin=None), ("rule D2", "the declaration covers vendor 0xFFF2")),
            (replace(WHITE_LABEL, origin=(MAKER[0], 0x8005)), ("rule D3", "which the declaration does not cover")),
            (replace(WHITE_LABEL, listed=(b"\x77" * 20,)), ("rule D4", "the PAA is not on the list")),
            (replace(WHITE_LABEL, covered=(0x8011,)), ("rule D8", "product 0x8010 is not among those it is for")),
        ):
            (tmp_path / "declaration.der").write_bytes(wrong.declaration(b"\x01" * 20))
            assert_refused(line, *words)


def assert_refused(line: Standing, *words: str) -> None:
    done = line.line.command("config", "check")
    assert done.returncode == 2
    assert [word for word in words if word not in done.stdout + done.stderr] == []
