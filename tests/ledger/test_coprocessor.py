# SPDX-License-Identifier: Apache-2.0
"""Work on a board's wireless stack, with a scripted coprocessor and a real ledger."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.adapters.ledger.reader import LedgerReader
from station.domain.attempt import CoprocessorReady, Failed
from station.domain.coprocessor import CoprocessorVersions, Version, WirelessStack
from station.faults import Fault
from station.faults.line import StackImageRefused
from station.faults.slot import BoardExchanged, ProbeWedged, ProbeWrong, ProgrammerFailed, ProgrammerStuck
from station.faults.unit import BootNotRestored, FUSNotReady, FUSOutdated, StackNotStarted, StackUnproven
from station.procedure.coprocessor import bring_stack
from tests.builders.bench import Secrets, begun, recognised

FUS = Version(1, 2, 0)
RIGHT, OLDER, NONE = (CoprocessorVersions(FUS, stack) for stack in (Version(1, 24, 0, 3), Version(1, 23, 0, 3), None))
STACK = WirelessStack("stack.bin", b"signed by ST", 0x08094000, RIGHT.stack)
NAMELESS = replace(STACK, version=None)
AMBIGUOUS = ProgrammerFailed(1, "Error: fwupgrade Command Failure")
NOT_DELETED = ProgrammerFailed(1, "Error: Old Firmware delete failed")
STUCK = ProgrammerStuck(180.0)
NOT_AUTHENTIC = StackImageRefused("Error: Firmware not authentic!")
SILENT = FUSNotReady("FUS_STATE_ERR_UNKNOWN")


@dataclass
class Scripted:
    """A coprocessor with scripted versions and upgrade results, in order; `done` lists the requests it got."""

    reads: Sequence[CoprocessorVersions | Fault]
    upgrades: Sequence[Fault | None] = ()
    start: Fault | None = None
    restoration: Fault | None = None
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reads, self._upgrades = iter(self.reads), iter(self.upgrades)

    async def versions(self) -> CoprocessorVersions:
        self.done.append("read")
        read = next(self._reads)
        if isinstance(read, Fault):
            raise read
        return read

    async def upgrade(self, stack: WirelessStack, *, first: bool) -> Fault | None:
        assert stack.content == STACK.content
        self.done.append("install" if first else "upgrade")
        return next(self._upgrades)

    async def start_stack(self) -> None:
        self.done.append("start")
        if self.start:
            raise self.start

    async def restore_boot(self) -> None:
        self.done.append("restore")
        if self.restoration:
            raise self.restoration


SKIPPED = "read start restore"
UPGRADED = "read upgrade read start restore"
TWICE = "read upgrade read upgrade read start restore"
INSTALLED = "read upgrade read install read start restore"

GOOD: dict[str, tuple[Scripted, WirelessStack, str]] = {
    "the right one": (Scripted([RIGHT]), STACK, SKIPPED),
    "another one": (Scripted([OLDER, RIGHT], [None]), STACK, UPGRADED),
    "none": (Scripted([NONE, RIGHT], [None]), STACK, UPGRADED),
    "a failure that has upgraded": (Scripted([OLDER, RIGHT], [AMBIGUOUS]), STACK, UPGRADED),
    "an upgrade that hung and is done": (Scripted([OLDER, RIGHT], [STUCK]), STACK, UPGRADED),
    "called unauthentic, and there": (Scripted([OLDER, RIGHT], [NOT_AUTHENTIC]), STACK, UPGRADED),
    "nothing changed at first": (Scripted([OLDER, OLDER, RIGHT], [AMBIGUOUS, None]), STACK, TWICE),
    "the old one deleted, which is said to have failed": (
        Scripted([OLDER, NONE, RIGHT], [NOT_DELETED, None]),
        STACK,
        INSTALLED,
    ),
    "the old one deleted, and no version asked for": (
        Scripted([OLDER, NONE, RIGHT], [NOT_DELETED, None]),
        NAMELESS,
        INSTALLED,
    ),
    "half done": (Scripted([OLDER, NONE, RIGHT], [STUCK, None]), STACK, INSTALLED),
    "no version asked for": (Scripted([RIGHT, RIGHT], [None]), NAMELESS, UPGRADED),
}


@pytest.mark.parametrize("case", GOOD)
async def test_a_stack_that_is_proven_is_started_and_written_down(
    ledger: Ledger, secrets: Secrets, path: Path, case: str
) -> None:
    """The journal has the versions before and after, and whether an upgrade ran; later attempts can rely on it."""
    coprocessor, stack, done = GOOD[case]
    coprocessor = replace(coprocessor, done=[])
    journal = await begun(ledger, secrets)
    identity = await recognised(journal, board=7)
    assert identity.coprocessor is None
    await bring_stack(coprocessor, stack, journal)
    assert coprocessor.done == done.split()
    before = coprocessor.reads[0]
    assert isinstance(before, CoprocessorVersions)
    ready = CoprocessorReady(STACK.sha256, "1.2.0.0", before.stack_said, "1.24.0.3", upgraded="upgrade" in done)
    await journal.finish(Failed("board.silent"))
    assert (await recognised(await begun(ledger, secrets), board=7)).coprocessor == ready
    story = LedgerReader(path).unit(str(identity.uid))
    assert story is not None
    assert ready in [entry.event for entry in story.attempts[0].journal]
    assert [unit.wireless_stack for unit in LedgerReader(path).units()] == ["1.24.0.3"]


BAD: dict[str, tuple[Scripted, WirelessStack, type[Fault], str]] = {
    "FUS does not start": (Scripted([SILENT]), STACK, FUSNotReady, "read restore"),
    "FUS is old": (
        Scripted([RIGHT]),
        replace(STACK, smallest_fus=Version(2, 0, 0)),
        FUSOutdated,
        "read restore",
    ),
    "FUS is lost by the upgrade": (Scripted([OLDER, SILENT], [None]), STACK, FUSNotReady, "read upgrade read restore"),
    "success without the version": (
        Scripted([OLDER, NONE, NONE], [None, None]),
        STACK,
        StackUnproven,
        "read upgrade read install read restore",
    ),
    "success, twice, and nothing changed": (
        Scripted([OLDER, OLDER, OLDER], [None, None]),
        STACK,
        StackUnproven,
        "read upgrade read upgrade read restore",
    ),
    "half done, twice": (
        Scripted([OLDER, NONE, NONE], [STUCK, STUCK]),
        STACK,
        StackUnproven,
        "read upgrade read install read restore",
    ),
    "not ST's": (Scripted([OLDER, OLDER], [NOT_AUTHENTIC]), STACK, StackImageRefused, "read upgrade read restore"),
    "no version asked for, and a failure": (
        Scripted([RIGHT, RIGHT], [AMBIGUOUS]),
        NAMELESS,
        StackUnproven,
        "read upgrade read restore",
    ),
    "no version asked for, and none there": (
        Scripted([NONE, NONE, NONE], [None, None]),
        NAMELESS,
        StackUnproven,
        "read upgrade read install read restore",
    ),
    "it does not start": (Scripted([RIGHT], start=StackNotStarted("x")), STACK, StackNotStarted, SKIPPED),
    "boot is not restored": (
        Scripted([RIGHT], restoration=BootNotRestored("nSWboot0", "0x1", "0x0")),
        STACK,
        BootNotRestored,
        SKIPPED,
    ),
    "another board": (Scripted([BoardExchanged("00", "01")]), STACK, BoardExchanged, "read"),
    "another probe": (Scripted([OLDER, ProbeWrong("066A", "066B")], [None]), STACK, ProbeWrong, "read upgrade read"),
    "a fault, and boot is not restored": (
        Scripted([SILENT], restoration=ProbeWedged("066AFF")),
        STACK,
        FUSNotReady,
        "read restore",
    ),
}


@pytest.mark.parametrize("case", BAD)
async def test_what_is_not_proven_ends_the_attempt(ledger: Ledger, secrets: Secrets, case: str) -> None:
    """A present board's boot is restored, no upgrade is repeated, and the stack counts as unseen."""
    coprocessor, stack, fault, done = BAD[case]
    coprocessor = replace(coprocessor, done=[])
    journal = await begun(ledger, secrets)
    await recognised(journal, board=7)
    with pytest.raises(fault) as caught:
        await bring_stack(coprocessor, stack, journal)
    assert coprocessor.done == done.split()
    await journal.finish(Failed(caught.value.code, caught.value.evidence))
    assert (await recognised(await begun(ledger, secrets), board=7)).coprocessor is None
