# SPDX-License-Identifier: Apache-2.0
"""A work order with all that befalls one adds up by an independent count; `make lot` counts a larger one."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.line import lot
from tests.line.lot_count import Board, Notes, Outcome, Print, passcode_of

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]


def test_a_lot_adds_up() -> None:
    """Faults, scraps, quarantine, reprints, swapped labels, samples, and an MES that goes and comes."""
    assert lot.main(["--units", "12", "--faults", "4", "--slots", "4"]) == 0


def test_the_count_reads_a_code_as_the_specification_does() -> None:
    """The examples of Matter's specification and of the CHIP SDK."""
    assert passcode_of("MT:-24J0AFN00KA0648G00") == 20202021
    assert passcode_of("MT:Y.K9042C00KA0648G00") == 20202021


def test_a_label_that_the_printer_has_not_ended_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "0001.zpl"
    file.write_text("^XA^FDMA,MT:A^FS^FDS/N 1^FS")
    with pytest.raises(ValueError, match="0001"):
        Print.read(file)


def test_the_count_misses_nothing() -> None:
    """An event that is lost, two boards with one number, an identity beyond the order, and a label of nobody."""
    event = {
        "id": "line/1",
        "subject": "u",
        "data": {"attempt": 1, "verdict": "fail", "lot": "W1", "laboratory": False},
    }
    board = Board(1, "u", {25: b"SN1"}, operational=False)
    clean = Outcome([board], [], [], [event], Notes("W1"))
    assert list(clean.mistakes()) == []
    lost = replace(clean, events=[event | {"data": event["data"] | {"attempt": 2}}])  # type: ignore[operator]
    twice = replace(clean, boards=[board, replace(board, number=2)])
    beyond = replace(clean, notes=Notes("W1", refused={"u"}))
    nobodys = replace(clean, prints=[Print("SN2", "MT:-24J0AFN00KA0648G00", 1)])
    for wrong, words in ((lost, "lacks"), (twice, "on 2 boards"), (beyond, "was full"), (nobodys, "no board")):
        (mistake,) = wrong.mistakes()
        assert words in mistake
