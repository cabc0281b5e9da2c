# SPDX-License-Identifier: Apache-2.0
"""A programmer that floods its output slows only its own slot: its neighbours get their turns and their answers."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from station.adapters.programmer.driver import CubeProgrammer
from station.adapters.programmer.run import Deadlines, Installation
from station.adapters.system.child import Budget, Patience
from station.adapters.system.secret_files import SecretFiles
from station.domain.coprocessor import WirelessStack
from station.faults.slot import ProgrammerUnproven
from station.line.loop_lag import LoopLag
from tests.builders.transcripts import PROBE, lines
from tests.programmer.fake_cli import FakeProgrammer, Play

pytestmark = pytest.mark.slow

LATE = 30.0  # seconds, on a machine that is busy with other tests; a line of blanks once took 37
NEVER = 1000.0
PROBES = {"wild": PROBE, "neighbour": PROBE[::-1]}
IDENTIFIED = Play(lines("2.19-identify"))
CONNECTED = lines("2.19-nothing-done")
STACK = WirelessStack("stack.bin", b"signed by ST", 0x08094000)


class Bench:
    """Two probes, each with its own programmer."""

    def __init__(self, folder: Path, scratch: SecretFiles) -> None:
        self.records: list[str] = []
        self.fakes: list[FakeProgrammer] = []
        self.programmers: list[CubeProgrammer] = []
        self.installations: list[Installation] = []
        for name, probe in PROBES.items():
            place = folder / name
            place.mkdir()
            fake = FakeProgrammer(place)
            deadlines = Deadlines(connect_within=120, retry_pauses=(), patience=Patience(0.2, 0.2))
            installation = Installation(fake.cli, place / "loader.stldr", scratch, place / "locks", deadlines)
            self.fakes.append(fake)
            self.installations.append(installation)
            self.programmers.append(CubeProgrammer(installation, probe, asyncio.Event(), self.records.append))

    async def judged_beside(self, wild: Play) -> BaseException | None:
        """The outcome of the flooding programmer, while its neighbour identifies board after board."""
        self.fakes[0].plays(wild)
        self.fakes[1].plays(Play(tuple(line.replace(PROBE, PROBES["neighbour"]) for line in IDENTIFIED.lines)))
        lag = LoopLag()
        watching = asyncio.ensure_future(lag.watch())
        going = asyncio.ensure_future(self.programmers[0].identify())
        while not going.done():
            async with asyncio.timeout(200):
                assert (await self.programmers[1].identify()).device_id == 0x495
        watching.cancel()
        assert lag.status.max < LATE
        return going.exception()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "secrets").mkdir()
    with SecretFiles.opened("test", {"RUNTIME_DIRECTORY": str(tmp_path / "secrets")}, in_memory=False) as scratch:
        yield Bench(tmp_path, scratch)


async def test_a_line_of_blanks_keeps_nobody_waiting(bench: Bench) -> None:
    """The blanks are ignored, and the other lines decide the run."""
    blanks = f"A{' ' * 65_000}B"
    assert await bench.judged_beside(Play((blanks, *IDENTIFIED.lines, blanks))) is None


@pytest.mark.parametrize(
    "line", ["chatter", "Error: chatter", f"A{' ' * 65_000}B", "Error:", "x" * (1 << 20), "\r", " " * 5000]
)
async def test_output_without_end_is_no_proof(bench: Bench, line: str) -> None:
    """The station stops the programmer, even a deaf one or one that prints only blanks; the fault names the budget."""
    fault = await bench.judged_beside(Play(CONNECTED, endless=line, deaf=True))
    assert isinstance(fault, ProgrammerUnproven)
    assert str(Budget()) in fault.missing
    assert any(record.splitlines()[-1].endswith("exit status -9") for record in bench.records)


async def test_the_budget_is_the_installation_s(bench: Bench, tmp_path: Path) -> None:
    """A good run counts as bad if it prints more than the budget."""
    bench.fakes[0].plays(IDENTIFIED)
    small, installation = Budget(lines=5), bench.installations[0]
    spoken_for = replace(installation, deadlines=replace(installation.deadlines, output=small))
    programmer = CubeProgrammer(spoken_for, PROBE, asyncio.Event(), bench.records.append)
    with pytest.raises(ProgrammerUnproven, match=str(small)):
        await programmer.identify()


async def test_an_upgrade_that_talks_without_end_is_judged_by_what_is_read_back(bench: Bench) -> None:
    """The upgrade may have worked, as one that hangs may have."""
    bench.fakes[0].plays(Play(CONNECTED, endless="chatter"))
    fault = await bench.programmers[0].coprocessor.upgrade(STACK, first=False)
    assert isinstance(fault, ProgrammerUnproven)
    assert "chatter" in bench.records[0]
