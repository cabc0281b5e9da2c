# SPDX-License-Identifier: Apache-2.0
"""Work on the coprocessor with a scripted programmer: the commands, the evidence, and the retries."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from station.adapters.programmer.driver import CubeProgrammer
from station.adapters.programmer.run import Deadlines, Installation
from station.adapters.system.child import Patience
from station.adapters.system.secret_files import SecretFiles
from station.domain.coprocessor import CoprocessorVersions, Version, WirelessStack
from station.faults.slot import ProbeMissing, ProgrammerStuck
from station.faults.unit import BootNotRestored, FUSNotReady, StackNotStarted
from tests.builders.transcripts import PROBE, lines
from tests.programmer.fake_cli import FakeProgrammer, Play

HASTY = Deadlines(
    option_bytes_within=200,
    start_within=200,
    upgrade_within=200,
    retry_pauses=(0.0, 0.0),
    patience=Patience(0.05, 0.05),
)
STACK = WirelessStack("stack.bin", b"signed by ST", 0x08094000, Version(1, 24, 0, 3))
BOOTED = ("nBOOT0       : 0x1 ()", "nBOOT1       : 0x1 ()")


class Bench:
    """A driver with a fake programmer."""

    def __init__(self, folder: Path, scratch: SecretFiles) -> None:
        self.fake = FakeProgrammer(folder)
        self.secrets = folder / "secrets"
        self.records: list[str] = []
        loader = folder / "loader.stldr"
        loader.touch()
        self.installation = Installation(self.fake.cli, loader, scratch, folder / "locks", HASTY)

    @property
    def programmer(self) -> CubeProgrammer:
        return CubeProgrammer(self.installation, PROBE, asyncio.Event(), self.records.append)

    @property
    def arguments(self) -> list[str]:
        """The arguments of every run, after those of the connection."""
        return [" ".join(run.argv[run.argv.index("-q") + 1 :]) for run in self.fake.runs]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "secrets").mkdir()
    with SecretFiles.opened("test", {"RUNTIME_DIRECTORY": str(tmp_path / "secrets")}, in_memory=False) as scratch:
        yield Bench(tmp_path, scratch)


def said(name: str, exit_status: int = 0) -> Play:
    return Play(lines(name), exit_status)


def displayed(*option_bytes: str) -> Play:
    return Play((*lines("2.19-identify"), *option_bytes))


UID = "-r32 0x1FFF7590 12 "
READS = UID + "-ob nSWboot0=0 nboot1=1 nboot0=1 -startfus -r32 0x20010010 8"


async def test_versions_are_read_in_the_run_that_starts_fus(bench: Bench) -> None:
    """Without a running FUS the words are garbage; the run's record has the versions."""
    bench.fake.plays(said("2.19-fus-versions"))
    assert await bench.programmer.coprocessor.versions() == CoprocessorVersions(Version(1, 2, 0), Version(1, 24, 0, 3))
    assert bench.arguments == [READS]
    assert bench.fake.runs[0].argv[:6] == f"-c port=SWD sn={PROBE} mode=UR reset=HWrst -q".split()
    assert "01180003" in bench.records[0]


FAILURES = {
    "an error": said("2.8-fus-unknown", 1),
    "an error, and exit status 0": said("2.8-fus-unknown"),
    "exit status 1 alone": said("2.19-fus-versions", 1),
    "garbage": said("2.19-fus-garbage"),
    "not idle": Play(tuple(line for line in lines("2.19-fus-versions") if line != "FUS_STATE_IDLE")),
    "no end": Play(tuple(line for line in lines("2.19-fus-versions") if "execution finished" not in line)),
    "no words": Play(tuple(line for line in lines("2.19-fus-versions") if not line.startswith("0x2001"))),
    "nothing": said("2.19-nothing-done"),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_first_start_of_fus_may_fail_and_a_second_follows(bench: Bench, failure: str) -> None:
    """Real coprocessors fail at first; the version words from a failed run do not count."""
    bench.fake.plays(FAILURES[failure], said("2.19-fus-older-stack"))
    assert (await bench.programmer.coprocessor.versions()).stack == Version(1, 23, 0, 3)
    assert bench.arguments == [READS] * 2


@pytest.mark.parametrize("failure", FAILURES)
async def test_no_third_start_follows(bench: Bench, failure: str) -> None:
    """The board's FUS is bad, or its versions cannot be read, which is no better."""
    bench.fake.plays(FAILURES[failure], FAILURES[failure], said("2.19-fus-versions"))
    with pytest.raises(FUSNotReady):
        await bench.programmer.coprocessor.versions()
    assert len(bench.fake.runs) == 2


async def test_a_probe_that_is_missing_is_not_the_coprocessors_fault(bench: Bench) -> None:
    """Nor is any other failure to connect."""
    bench.fake.plays(said("2.17-no-probe", 1))
    with pytest.raises(ProbeMissing):
        await bench.programmer.coprocessor.versions()
    with pytest.raises(ProbeMissing):
        await bench.programmer.coprocessor.upgrade(STACK, first=False)


async def test_an_upgrade_is_one_run_with_the_image_in_a_file_of_its_own(bench: Bench) -> None:
    """The file has the bytes that were hashed when the line opened, and is deleted afterwards."""
    bench.fake.plays(said("2.19-fus-upgrade"))
    assert await bench.programmer.coprocessor.upgrade(STACK, first=False) is None
    (arguments,) = bench.arguments
    start, file, end = arguments.partition(str(bench.secrets))
    assert start == UID + "-ob nSWboot0=0 nboot1=1 nboot0=1 -startfus -fwupgrade "
    assert (file + end).split()[1:] == ["0x08094000", "firstinstall=0", "startstack=0", "-v"]
    assert not [path for path in bench.secrets.rglob("*") if path.is_file()]


async def test_without_a_stack_there_is_none_to_delete(bench: Bench) -> None:
    """The upgrade is a first installation."""
    bench.fake.plays(said("2.19-fus-upgrade"))
    assert await bench.programmer.coprocessor.upgrade(STACK, first=True) is None
    assert bench.arguments[0].endswith("0x08094000 firstinstall=1 startstack=0 -v")


@pytest.mark.parametrize(
    ("play", "against"),
    [
        (said("2.9-fus-upgrade-ambiguous", 1), "programmer.failed"),
        (said("2.9-fus-upgrade-ambiguous", 0), "programmer.failed"),
        (said("2.20-fus-upgrade-unknown", 1), "coprocessor.fus_not_ready"),
        (said("2.19-fus-not-authentic", 1), "coprocessor.image_refused"),
        (said("2.19-fus-upgrade", 1), "programmer.failed"),
        (Play(lines("2.19-fus-upgrade")[:-2]), "programmer.unproven"),
        (Play(lines("2.19-fus-upgrade")[:-2], hangs=True), "programmer.stuck"),
        (Play(lines("2.19-fus-upgrade")[:-2], hangs=True, deaf=True), "programmer.stuck"),
    ],
)
async def test_an_upgrade_tells_what_speaks_against_it_and_is_not_run_again(
    bench: Bench, play: Play, against: str
) -> None:
    """The reported fault is returned; the versions read afterwards decide whether the upgrade worked."""
    bench.fake.plays(play)
    deadlines = replace(HASTY, upgrade_within=5, idle_within=4) if play.hangs else HASTY
    bench.installation = replace(bench.installation, deadlines=deadlines)
    fault = await bench.programmer.coprocessor.upgrade(STACK, first=False)
    assert fault is not None
    assert fault.code == against
    assert len(bench.fake.runs) == 1
    if isinstance(fault, ProgrammerStuck):
        assert fault.within == 5  # silence is normal while FUS works


async def test_the_stack_is_started(bench: Bench) -> None:
    """The driver tries twice at most."""
    bench.fake.plays(said("2.19-nothing-done"), said("2.19-fus-start-stack"))
    await bench.programmer.coprocessor.start_stack()
    assert bench.arguments == [UID + "-startwirelessstack"] * 2
    bench.fake.plays(said("2.19-nothing-done"))
    with pytest.raises(StackNotStarted):
        await bench.programmer.coprocessor.start_stack()
    assert len(bench.fake.runs) == 4


async def test_boot_is_restored_and_read_back_in_another_connection(bench: Bench) -> None:
    """The read-back decides, not the first run's complaints."""
    bench.fake.plays(said("2.4-boot-not-restored", 1), displayed(*BOOTED))
    await bench.programmer.coprocessor.restore_boot()
    assert bench.arguments == [UID + "-ob nSWboot0=1 nboot1=1 nboot0=1", UID + "-ob displ"]


@pytest.mark.parametrize(
    ("option_bytes", "found"),
    [
        ((*BOOTED, "nSWBOOT0 : 0x0 ()"), "nSWboot0, expected 0x1, found 0x0"),
        (BOOTED[:1], "nboot1, expected 0x1, found none"),
    ],
)
async def test_boot_that_does_not_read_back_is_tried_once_more(
    bench: Bench, option_bytes: tuple[str, ...], found: str
) -> None:
    """After the second try it is the board's fault, whatever the programmer reports."""
    said_done = said("2.19-boot-restored")
    bench.fake.plays(said_done, displayed(*option_bytes), said_done, displayed(*option_bytes))
    with pytest.raises(BootNotRestored, match=found):
        await bench.programmer.coprocessor.restore_boot()
    assert len(bench.fake.runs) == 4
