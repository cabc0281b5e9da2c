# SPDX-License-Identifier: Apache-2.0
"""The fault that a single line gives. The catalogue has whole runs."""

import pytest

from station.adapters.programmer.output import Transcript
from station.faults import Fault
from station.faults.line import FlashLoaderMissing
from station.faults.slot import ProbeBusy, ProbeMissing, ProbeOutdated, ProbeWedged, ProgrammerFailed, TargetNotReset
from station.faults.unit import (
    FlashEraseFailed,
    FlashMismatch,
    FlashReadFailed,
    FlashWriteFailed,
    TargetLocked,
    TargetNotFound,
    TargetRefused,
)
from tests.builders.transcripts import PROBE, heard, lines, recorded


def told(transcript: Transcript, exit_status: int = 1) -> tuple[str, dict[str, str]] | None:
    """Code and evidence of the fault; None if there is none."""
    fault = transcript.fault(PROBE, exit_status)
    return None if fault is None else (fault.code, fault.evidence)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("Error: No debug probe detected.", ProbeMissing(PROBE)),
        ("No ST-Link detected!", ProbeMissing(PROBE)),
        ("Error: No ST-Link detected!", ProbeMissing(PROBE)),
        ("ST-LINK error (DEV_CONNECT_ERR)", ProbeBusy(PROBE)),
        ("ST-LINK error (DEV_USB_COMM_ERR)", ProbeWedged(PROBE)),
        ("libusb: pipe is stalled", ProbeWedged(PROBE)),
        ("Error: ST-LINK error (DEV_TARGET_CMD_ERR)", TargetRefused(PROBE)),
        ("Error: ST-LINK error (DEV_TARGET_RESET_ERR)", TargetNotReset(PROBE)),
        ("Error: ST-LINK error (DEV_TARGET_HELD_UNDER_RESET)", TargetNotReset(PROBE)),
        ("Error: Serial number not found", ProbeMissing(PROBE)),
        ("ST-LINK error (DEV_NO_STLINK)", ProbeMissing(PROBE)),
        ("Error: Flash loader cannot be loaded!", FlashEraseFailed("Error: Flash loader cannot be loaded!")),
        (
            "Error: Flash loader C:\\ST\\x.stldr cannot be loaded.",
            FlashLoaderMissing("Error: Flash loader C:\\ST\\x.stldr cannot be loaded."),
        ),
        ("a.stldr does not exist", FlashLoaderMissing("a.stldr does not exist")),
        ("Error: Unable to get core ID", TargetNotFound(PROBE)),
        ("ERROR: NO STM32 TARGET FOUND!", TargetNotFound(PROBE)),
        ("Warning: Connection to device 0x495 is lost", TargetNotFound(PROBE)),
        ("Error: ST-LINK firmware upgrade required", ProbeOutdated(PROBE)),
        ("Error: Mass erase operation failed", FlashEraseFailed("Error: Mass erase operation failed")),
        ("Please verify flash protection", FlashEraseFailed("Please verify flash protection")),
        ("Error: failed to download Segment[0]", FlashWriteFailed("Error: failed to download Segment[0]")),
        ("Error: failed to download the File", FlashWriteFailed("Error: failed to download the File")),
        ("Write failed at address 0x08001000", FlashWriteFailed("Write failed at address 0x08001000")),
        ("Error: Download verification failed", FlashMismatch(0)),
        ("Error: a read Operation failed", FlashReadFailed("Error: a read Operation failed")),
        ("Error: Device is under Read Out Protection", TargetLocked("Error: Device is under Read Out Protection")),
        ("Problem occured while trying to connect", None),
        ("Error: Problem occured while trying to connect", ProgrammerFailed(1, "")),
        ("Error: something that nobody has seen yet", ProgrammerFailed(1, "")),
        ("something has failed that nobody has seen yet", ProgrammerFailed(1, "")),
        ("ST-LINK error (DEV_NEVER_SEEN)", ProgrammerFailed(1, "")),
        ("Error: not here, the core is locked up", ProgrammerFailed(1, "")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_line_tells_a_fault(line: str, fault: Fault | None) -> None:
    """An unknown line that looks like an error is a fault, too, and its text is kept."""
    if fault is None:
        assert told(heard(line), 0) is None
    else:
        evidence = fault.evidence | ({"line": line} if isinstance(fault, ProgrammerFailed) else {})
        assert told(heard(line)) == (fault.code, evidence)


@pytest.mark.parametrize(
    "line",
    [
        "Warning: The core is locked up",
        "Target is not responding, retrying...",
        "2nd connect tentative with a lower frequency (8MHz)",
        "Warning: FUS_STATE_IMG_NOT_FOUND, Flash already empty !",
        "Warning: Option Bytes are unchanged, Data won't be downloaded",
        "Warning: an update check failed",
        "Opening and parsing file: failed-error:.bin",
        "   Read Out Protection:",
        "Debug in Low Power mode is not supported for this device.",
        "Reset mode  : Software reset",
        "flash loader C:/ST/STM32CubeProgrammer/bin/FlashLoader/0x495.stldr is loaded",
    ],
)
def test_a_harmless_line_is_no_fault(line: str) -> None:
    """The line informs, or warns of something else."""
    assert told(heard(line), 0) is None


@pytest.mark.parametrize("name", ["2.10-second-attempt-succeeds", "2.10-second-attempt-after-a-bare-error"])
def test_the_first_attempt_s_error_is_forgiven_by_a_full_second_header(name: str) -> None:
    """The tool itself tries again, at a lower frequency."""
    assert told(recorded(name), 0) is None


def test_a_second_attempt_without_a_header_forgives_nothing() -> None:
    """The second attempt may have ended without a message."""
    said = lines("2.10-second-attempt-succeeds")
    second = said.index("2nd connect tentative with a lower frequency (8MHz)")
    assert told(heard(*said[: second + 1]), 0) == ("target.not_found", {"probe": PROBE})


def test_an_error_after_something_was_written_is_never_forgiven() -> None:
    """A second connection does not undo a partial write."""
    said = [*lines("2.19-write"), "Error: oh no", "2nd connect tentative", "Device ID   : 0x495"]
    assert told(heard(*said), 0) == ("programmer.failed", {"exit_status": "0", "line": "Error: oh no"})


def test_the_cause_is_told_and_not_what_follows_from_it() -> None:
    """The programmer may print cause and consequence in any order."""
    said = ["Error: failed to download the File", "Error: ST-LINK error (DEV_USB_COMM_ERR)"]
    assert told(heard(*said)) == told(heard(*reversed(said))) == ("probe.wedged", {"probe": PROBE})


def test_an_exit_status_alone_is_a_fault() -> None:
    """The output has all success messages, but the exit status reports a failure."""
    evidence = {"exit_status": "-9", "line": "Software reset is performed"}
    assert told(recorded("2.19-write"), -9) == ("programmer.failed", evidence)


def test_a_process_that_said_nothing_and_failed_is_a_fault() -> None:
    """The fault then quotes no line."""
    assert told(heard(), 3) == ("programmer.failed", {"exit_status": "3", "line": ""})


@pytest.mark.parametrize("exit_status", [126, 127])
def test_a_program_that_did_not_come_up_is_missing(exit_status: int) -> None:
    """Shells and the dynamic linker use these statuses; the programmer itself prints its version first."""
    reason = f"exit status {exit_status}"
    assert told(heard(), exit_status) == ("programmer.missing", {"path": "STM32_Programmer_CLI", "reason": reason})
    assert told(heard(*lines("2.19-write")), exit_status) == (
        "programmer.failed",
        {"exit_status": str(exit_status), "line": "Software reset is performed"},
    )


@pytest.mark.parametrize(
    "bar", ["█" * 50, "=" * 50, "[" + "=" * 50 + "]", "▒" * 25, "圹" * 25, "\N{REPLACEMENT CHARACTER}" * 50]
)
def test_an_error_is_found_behind_any_progress_bar(bar: str) -> None:
    """The bars are those of Windows, Linux, msys, GBK and undecodable bytes."""
    transcript = heard("  File          : a.bin", f"{bar} 100%Error:", "Downloading 8-bit data failed...")
    assert told(transcript, 0) == ("flash.write_failed", {"reason": "Error: Downloading 8-bit data failed..."})


def test_a_bar_alone_says_nothing() -> None:
    """A bar is neither an error nor evidence."""
    assert told(heard("█" * 50 + " 100%"), 0) is None


def test_no_byte_of_memory_is_in_a_fault() -> None:
    """A mismatch in the factory data gives the address only."""
    fault = recorded("2.18-verify-mismatch-first-file").fault(PROBE, 1)
    assert "0x21" not in str(fault)
    unknown = heard("Error: what is this (byte = 0x21 instead of 0x00)").fault(PROBE, 1)
    assert "0x21" not in str(unknown)
