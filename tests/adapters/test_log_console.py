# SPDX-License-Identifier: Apache-2.0
"""The log's form on a terminal."""

import re
import time

import pytest
from rich.color import Color

from station.adapters.system.log_console import VERDICT_COLOURS, WIDTH, told
from station.cli.consoles import COLOURS

UID = "00112233445566778899AABB"
SENTENCE = "The board does not answer on its serial port. (question HELLO, within 2.0)"
FAILED: dict[str, object] = {
    "time": "2026-11-26T01:25:45Z",
    "milliseconds": 7,
    "level": "info",
    "event": "attempt.finished",
    "slot": "4",
    "attempt": 12,
    "uid": UID,
    "step": "await_csr",
    "verdict": "fail",
    "fault": "board.silent",
    "reason": SENTENCE,
    "serial_number": "EXAMPLE-000001",
    "lot": "EXAMPLE",
    "recipe": "lighting",
    "probe": "066CFF303730324D51",
    "tty": "/dev/serial/by-path/pci-0000:00:14.0-usb-0:1.4:1.2",
    "seconds": 27.312,
    "steps": {"recognise": 1.0, "flash_data": 2.0, "flash_provisioner": 3.0},
    "question": "HELLO",
    "within_seconds": 2.0,
}
PASSED = {key: value for key, value in FAILED.items() if key not in {"fault", "reason", "question", "within_seconds"}}
PASSED |= {"verdict": "pass", "step": "confirm"}
WORST = FAILED | {
    "slot": "front-left",
    "verdict": "void",
    "level": "warning",
    "serial_number": "S" * 32,
    "fault": "coprocessor.boot_not_restored",
}


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")


def test_a_verdict_is_one_line_with_the_important_words_first() -> None:
    """Time, slot, event and verdict; the unit; where and why it failed."""
    assert re.sub(r"^\d\d:\d\d:\d\d ", "", told(FAILED)) == (
        f"4   attempt.finished fail {UID} EXAMPLE-000001 board.silent step=await_csr question=HELLO …\n"
    )
    assert f"{UID} EXAMPLE-000001 step=confirm seconds=27.312 attempt=12" in told(PASSED)


@pytest.mark.parametrize("columns", [60, 80, 100, 119, 120, 121, 160, 300, 1000])
@pytest.mark.parametrize("event", [FAILED, PASSED, WORST], ids=["fail", "pass", "the longest values"])
def test_a_verdicts_line_fits_the_terminal(
    event: dict[str, object], columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no more characters than columns; what is cut or left out up to the sentence has a mark."""
    monkeypatch.setenv("COLUMNS", str(columns))
    line = told(event)
    assert line.count("\n") == 1
    assert len(line.removesuffix("\n")) <= columns
    assert str(event["verdict"]) in line
    assert event["verdict"] == "pass" or SENTENCE in line or line.endswith("…\n")


def test_a_key_is_not_left_without_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cut that would leave only the key's name leaves the mark alone."""
    long = FAILED | {"question": "Q" * 500}
    for columns in range(60, 140):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert not told(long).endswith("=…\n"), columns


def test_a_wide_terminal_shows_the_whole_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    assert f"within_seconds=2.0 {SENTENCE} seconds=27.312" in told(FAILED)


def test_a_line_that_is_no_verdict_is_whole() -> None:
    """A line that needs a person has its level in the verdict's place, and all of its sentence."""
    paused = {key: FAILED[key] for key in ("time", "milliseconds")} | {
        "level": "error",
        "event": "line.paused",
        "fault": "pki.unreachable",
        "reason": "The PKI does not answer. " * 9,
    }
    assert " line.paused      error pki.unreachable The PKI" in told(paused)
    assert str(paused["reason"]) in told(paused)


def test_the_time_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "<+0530>-5:30")
    time.tzset()
    try:
        assert told(FAILED).startswith("06:55:45 4 ")
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("verdict", VERDICT_COLOURS)
def test_a_verdict_has_the_colour_of_every_screen(verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The colour takes no column."""
    plain = told(FAILED | {"verdict": verdict})
    monkeypatch.delenv("NO_COLOR")
    codes = ";".join(Color.parse(COLOURS[verdict]).get_ansi_codes())
    coloured = f"\x1b[{codes}m{verdict}\x1b[0m"
    assert told(FAILED | {"verdict": verdict}) == plain.replace(verdict, coloured, 1)


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_turned_off(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    assert "\x1b" in told(FAILED)
    monkeypatch.setenv(name, value)
    assert "\x1b" not in told(FAILED)


def test_no_word_of_a_verdicts_line_is_obeyed() -> None:
    """Text of a board or a file comes as escapes, wherever it is."""
    hostile = "\x1b[2J\n\x9b\u202e"
    for key in FAILED.keys() - {"time", "milliseconds", "level", "verdict"}:
        line = told(FAILED | {key: hostile})
        assert line.count("\n") == 1, key
        assert line.removesuffix("\n").isprintable(), key


def test_a_value_with_spaces_is_quoted() -> None:
    """Its end can be seen, also if it has quotes itself."""
    event = {"time": FAILED["time"], "level": "info", "event": "library.logged", "text": 'a "b" c=d', "library": "x"}
    assert told(event).endswith(r'text="a \"b\" c=d" library=x' + "\n")
