# SPDX-License-Identifier: Apache-2.0
"""Every transcript is in the catalogue and gets its verdict, in pieces of any size."""

import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import pytest

from station.adapters.system.child import LineCutter
from tests.builders.catalogue import Row, cut, posix, rows, verdict_of, windows
from tests.builders.transcripts import FOLDER, heard, lines

CASES = [(name, row) for row in rows() for name in row.files]
LETTERS = re.findall(r"^\| (\w) \|", (FOLDER / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
NAMES = [f"{name} {row.exit[0]}" for name, row in CASES]


def verdict(row: Row, name: str, said: Iterable[str], exit_status: int) -> tuple[str, dict[str, str]]:
    """The code, and the part of the evidence that the catalogue states."""
    code, evidence = verdict_of(row, row.asked_probe(name), heard(*said), exit_status)
    return code, {name: str(evidence.get(name)) for name in row.evidence}


SEEN = """
    No debug probe detected | No ST-Link detected! | ST-LINK error (DEV_CONNECT_ERR) | ST-LINK error (DEV_USB_COMM_ERR)
    Problem occured while trying to connect | Problem occurred while trying to connect | DEV_TARGET_CMD_ERR
    DEV_TARGET_RESET_ERR | No STM32 target found! | Unable to get core ID | Voltage     : 0.00V | 2nd connect tentative
    Old ST-LINK firmware | ST-LINK firmware upgrade required | failed to erase memory | Flash loader cannot be loaded
    Mass erase operation failed | Please verify flash protection | failed to download Segment[ | failed to download the File
    Write failed at address | Data mismatch found at address | Download verification failed | Wrong verify command use
    Data read failed | a read Operation failed | Device is under Read Out Protection | Expected value for Option Byte
    Option Byte Programming failed | Failed to set | FUS_STATE_ERR_UNKNOWN | FUS is not in IDLE state | FUS_NOT_RUNNING
    FUS_STATE_IMG_NOT_FOUND | Flash already empty | not authentic | fwupgrade Command Failure | The core is locked up
    Connection to device 0x495 is lost | libusb: pipe is stalled | Target is not responding, retrying...
    DEV_TARGET_HELD_UNDER_RESET | Serial number not found | FlashLoaderPath = | Old Firmware delete failed
    error while loading shared libraries: | FUS_ERROR_INVALID_OB
"""


@pytest.mark.parametrize("text", re.split(r" \| |\n *", SEEN.strip()))
def test_every_text_that_has_been_seen_stands_in_a_transcript(text: str) -> None:
    """The list has all complaints known from public logs."""
    assert any(text in line for name, _ in CASES for line in lines(name))


def cut_into_lines(pieces: Iterable[bytes]) -> list[str]:
    cutter = LineCutter()
    return [*chain.from_iterable(map(cutter.feed, pieces)), *cutter.rest()]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_every_line_of_a_transcript_tells_its_source(path: Path) -> None:
    """Each line has a letter that the table in the folder explains."""
    said = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert {line[:2] for line in said} <= {f"{letter}|" for letter in LETTERS}


def test_every_transcript_has_a_verdict_and_every_verdict_a_transcript() -> None:
    """No transcript has two verdicts for one exit status."""
    judged = [(name, status) for name, row in CASES for status in row.exit]
    assert {name for name, _ in judged} == {path.stem for path in FOLDER.glob("*.txt")}
    assert len(judged) == len(set(judged))


@pytest.mark.parametrize(("name", "row"), CASES, ids=NAMES)
def test_a_transcript_gets_its_verdict(name: str, row: Row) -> None:
    """Each exit status that the catalogue names is tried."""
    for status in row.exit:
        assert verdict(row, name, lines(name), status) == (row.verdict, row.evidence)


@pytest.mark.parametrize("host", [posix, windows])
@pytest.mark.parametrize(("name", "row"), CASES, ids=NAMES)
def test_no_cut_of_the_stream_changes_a_verdict(name: str, row: Row, host: type) -> None:
    """The stream arrives whole, line by line, byte by byte, and in pieces of odd sizes."""
    data: bytes = host(lines(name))
    for pieces in ([data], data.splitlines(keepends=True), *(cut(data, size) for size in (1, 3, 7, 61))):
        assert verdict(row, name, cut_into_lines(pieces), row.exit[0]) == (row.verdict, row.evidence)


@pytest.mark.parametrize(("name", "row"), CASES, ids=NAMES)
def test_what_is_quoted_of_a_transcript_stands_in_it(name: str, row: Row) -> None:
    """The documentation shows the quotation."""
    for quoted in row.said:
        assert any(quoted in line for line in lines(name)), quoted


def test_no_bad_run_is_proven_by_a_line_that_is_left_out() -> None:
    """Without one of its lines a transcript gets the same verdict or a worse one."""
    tells_too_much = {
        "2.18-erased-more",
        "2.19-unerased-erased-more",
    }  # the only sign is one line, which is not an error
    for name, row in CASES:
        said = lines(name)
        if row.verdict in {"proven", "read back"} or name in tells_too_much:
            continue
        for left_out in range(len(said)):
            if re.search(r"error|failed|Warning|FUS_", said[left_out], re.IGNORECASE):
                continue  # without its error line a run may look good
            code, _ = verdict(row, name, said[:left_out] + said[left_out + 1 :], row.exit[0])
            assert code not in {"proven", "read back"}, (name, said[left_out])
