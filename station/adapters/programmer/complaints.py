# SPDX-License-Identifier: Apache-2.0
"""The error lines of STM32_Programmer_CLI, in any version, and the fault that each means. Pure."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from station.faults import Fault
from station.faults.line import FlashLoaderMissing, ProgrammerMissing, StackImageRefused
from station.faults.slot import ProbeBusy, ProbeMissing, ProbeOutdated, ProbeWedged, ProgrammerFailed, TargetNotReset
from station.faults.unit import (
    FlashEraseFailed,
    FlashMismatch,
    FlashReadFailed,
    FlashWriteFailed,
    FUSNotReady,
    TargetLocked,
    TargetNotFound,
    TargetRefused,
)

LONGEST_SHOWN = 300  # characters of a line in a fault or a record
# exit statuses of shells and of the dynamic linker; the programmer itself ends with 0 or 1
NEVER_RAN = frozenset({126, 127})
_ADDRESS = re.compile(r"address 0x([0-9A-F]{1,8})", re.IGNORECASE)
_BYTES_COMPARED = re.compile(r"\(byte = [^)]*\)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error line of the programmer, with the text and the address that belong to it."""

    line: str
    probe: str
    exit_status: int
    address: int

    @property
    def mismatch(self) -> int:
        """The address where flash differs; the file's own where the line names none."""
        found = _ADDRESS.search(self.line)
        return int(found[1], 16) if found else self.address

    @property
    def program(self) -> str:
        """The path that the line begins with, as the dynamic linker has it."""
        found = re.match(r"(/[^:]*STM32_Programmer[^:]*): ", self.line)
        return found[1] if found else "STM32_Programmer_CLI"


# In lower case, for lines in lower case: a pattern for both is matched ten times as slowly, with each line of every run.
# A higher row explains a lower one, whatever the order of the lines: a probe that vanishes in a download makes the
# download fail, too. The last row takes every error that no other row matches.
_FAULTS: tuple[tuple[str, Callable[[Complaint], Fault]], ...] = (
    (
        (
            r"error while loading shared libraries|symbol lookup error|version \S+ not found \(required by"
            r"|cannot execute binary file|exec format error|bad interpreter"
            r"|load the qt platform plugin|find the qt platform plugin|no qt platform plugin"
        ),
        lambda said: ProgrammerMissing(said.program, said.line),
    ),
    (
        r"no debug probe detected|no st-link detected|dev_no_stlink|serial number not found",
        lambda said: ProbeMissing(said.probe),
    ),
    (r"old st-link firmware|st-link firmware upgrade required", lambda said: ProbeOutdated(said.probe)),
    (r"dev_connect_err", lambda said: ProbeBusy(said.probe)),
    (r"dev_usb_comm_err|pipe is stalled", lambda said: ProbeWedged(said.probe)),
    (r"under read ?out protection", lambda said: TargetLocked(said.line)),
    (
        r"dev_target_reset_err|dev_target_held_under_reset|unable to reset",
        lambda said: TargetNotReset(said.probe),
    ),
    (r"dev_target_cmd_err", lambda said: TargetRefused(said.probe)),
    (r"no stm32 target found|unable to get core id", lambda said: TargetNotFound(said.probe)),
    (r"connection to device .{0,40} is lost", lambda said: TargetNotFound(said.probe)),
    (r"not authentic", lambda said: StackImageRefused(said.line)),
    (r"fus_state_err|fus is not in idle|fus_not_running|fus_error\b", lambda said: FUSNotReady(said.line)),
    (
        r"fw(?:upgrade|delete) command failure|execute fw(?:upgrade|delete) command|firmware delete fail|fus_error_invalid",
        lambda said: ProgrammerFailed(said.exit_status, said.line),
    ),
    # If the line names the loader, a file of the installation or the external loader is at fault. Without a name the
    # board is, as a rule: with a weak supply the loader could not be written into the microcontroller's memory.
    (
        (
            r"flashloaderpath|flash loader [^\n]{1,260} cannot be loaded"
            r"|\.stldr['\"]? (?:does not exist|(?:was )?not found|cannot be)|loader\b.{0,260} does not exist"
        ),
        lambda said: FlashLoaderMissing(said.line),
    ),
    (r"data mismatch|download verification failed", lambda said: FlashMismatch(said.mismatch)),
    (r"failed to erase|erasing sector .{0,80} failed|erase operation failed", lambda said: FlashEraseFailed(said.line)),
    (r"flash loader cannot be loaded|verify flash protection", lambda said: FlashEraseFailed(said.line)),
    (r"failed to download|write failed at|downloading .{0,80} failed", lambda said: FlashWriteFailed(said.line)),
    (r"data read failed|read operation failed", lambda said: FlashReadFailed(said.line)),
    (r"", lambda said: ProgrammerFailed(said.exit_status, said.line)),
)
_KNOWN = re.compile("|".join(pattern for pattern, _ in _FAULTS[:-1]))
_SUSPECT = re.compile(r"error\s*:|st-link error \(|\bfailed\b")
_HARMLESS = re.compile(r"^warning\s*:")
_ERROR_ALONE = re.compile(r"error\s*:$", re.IGNORECASE)


def is_complaint(text: str) -> bool:
    """Whether the line is an error's."""
    said = text.lower()
    return bool(_KNOWN.search(said) or (_SUSPECT.search(said) and not _HARMLESS.match(said)))


def goes_on(complaint: str) -> bool:
    """Whether the text of this error follows on the next line, as in version 2.21."""
    return len(complaint) < LONGEST_SHOWN and bool(_ERROR_ALONE.search(complaint))


def fault_of(complaints: Iterable[str], probe: str, exit_status: int, address: int) -> Fault | None:
    """The fault that explains all complaints best; None if there are none. `address` is that of the file being written."""
    lines = [redacted(line) for line in complaints]
    for pattern, fault in _FAULTS:
        for line in lines:
            if re.search(pattern, line.lower()):
                return fault(Complaint(line, probe, exit_status, address))
    return None


def never_ran(last_line: str, exit_status: int) -> Fault | None:
    """The fault that the exit status alone proves, for a run in which the programmer printed nothing itself.

    None if it proves none.
    """
    if exit_status not in NEVER_RAN:
        return None
    said = Complaint(redacted(last_line) or f"exit status {exit_status}", "", exit_status, 0)
    return ProgrammerMissing(said.program, said.line)


def redacted(line: str) -> str:
    """The line without the bytes that a verification compared, since they may be factory data."""
    if "(" in line:
        line = _BYTES_COMPARED.sub("(…)", line)
    return line[:LONGEST_SHOWN]
