# SPDX-License-Identifier: Apache-2.0
"""A programmer that hangs and has outlived its station is ended by the next one; nobody else's is."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from station.adapters.programmer import probe_lock
from station.adapters.programmer.probe_lock import Waiting
from station.adapters.system import outlived, process
from station.adapters.system.child import Patience
from station.faults.slot import ProbeBusy

pytestmark = pytest.mark.slow

PROBE = "066CFF"
SOON = Waiting(within=0.1, longest_run=0.0, patience=Patience(0.1, 0.1))

STATION = """
import asyncio, sys
from pathlib import Path
from station.adapters.programmer import probe_lock
from station.adapters.programmer.probe_lock import Waiting
from station.adapters.system import orphans
from station.adapters.system.child import Child, Patience

PROGRAMMER = '''
import os, signal, sys
for number in map(int, sys.argv[1:]):
    signal.signal(number, signal.SIG_IGN)
print(os.getpid(), flush=True)
while True:
    signal.pause()
'''

async def main():
    async with probe_lock.held(Path(sys.argv[1]), sys.argv[2], Waiting(200, 200)) as lock:
        async with Child.started([sys.executable, "-IS", "-c", PROGRAMMER, *sys.argv[3:]], environment={},
                                 gone=asyncio.Event(), patience=Patience(), inherited=[lock]) as child:
            print(await child.line(), flush=True)
            await child.ended()

with orphans.adopted():
    asyncio.run(main())
"""

Start = Callable[[Sequence[signal.Signals]], tuple[subprocess.Popen[str], int]]


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Start]:
    """Starts a station that runs a programmer which hangs and is deaf to these signals; returns it and the programmer's number."""
    stations: list[subprocess.Popen[str]] = []
    programmers: list[int] = []

    def start(deaf_to: Sequence[signal.Signals]) -> tuple[subprocess.Popen[str], int]:
        arguments = [str(tmp_path), PROBE, *(str(int(number)) for number in deaf_to)]
        begun = subprocess.Popen([sys.executable, "-c", STATION, *arguments], stdout=subprocess.PIPE, text=True)
        stations.append(begun)
        assert begun.stdout is not None
        programmers.append(int(begun.stdout.readline()))
        return begun, programmers[-1]

    yield start
    for each in stations:
        each.kill()
        each.communicate()
    for pid in programmers:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def killed(begun: subprocess.Popen[str]) -> None:
    begun.kill()
    begun.wait()


@pytest.mark.parametrize("deaf_to", [(), (signal.SIGINT,), (signal.SIGINT, signal.SIGTERM)])
async def test_it_is_ended_when_its_time_is_over(
    station: Start, tmp_path: Path, deaf_to: tuple[signal.Signals, ...]
) -> None:
    """It hangs, and is deaf to some signals; the probe's lock is free then."""
    begun, programmer = station(deaf_to)
    killed(begun)
    with capture_logs() as told:
        async with probe_lock.held(tmp_path, PROBE, SOON):
            assert outlived.holding(tmp_path / f"{PROBE}.lock") == []
    assert [(each["event"], each.get("pid")) for each in told] == [("probe.awaited", None), ("probe.freed", programmer)]


async def test_a_living_stations_programmer_is_left_alone(station: Start, tmp_path: Path) -> None:
    """Its station ends it when it has to. The age of the programmer does not matter."""
    _, programmer = station([])
    with pytest.raises(ProbeBusy):
        async with probe_lock.held(tmp_path, PROBE, SOON):
            pass
    os.kill(programmer, 0)


async def test_it_may_end_by_itself_before(station: Start, tmp_path: Path) -> None:
    """Until its time is over nobody disturbs it: a torn transfer would wedge the probe."""
    begun, programmer = station([])
    killed(begun)

    async def hold() -> None:
        async with probe_lock.held(tmp_path, PROBE, replace(SOON, longest_run=1000)):
            pass

    with capture_logs() as told:
        holding = asyncio.ensure_future(hold())
        done, _ = await asyncio.wait({holding}, timeout=0.5)
        assert not done
        os.kill(programmer, signal.SIGTERM)
        await asyncio.wait_for(holding, 200)
    assert [each["event"] for each in told] == ["probe.awaited"]


async def test_a_number_that_another_process_has_by_now_is_not_signalled(station: Start, tmp_path: Path) -> None:
    """A process is known by its number and its start."""
    begun, programmer = station([])
    killed(begun)
    (found,) = outlived.holding(tmp_path / f"{PROBE}.lock")
    assert found.pid == programmer
    earlier = replace(found, process=replace(found.process, began=found.process.began - 1))
    assert await earlier.end(SOON.patience)
    os.kill(programmer, 0)
    assert await found.end(SOON.patience)
    assert await found.end(SOON.patience)


def test_a_mark_names_the_process_that_gave_it() -> None:
    """Marks of another form are nobody's: whoever sets that variable does not have his process ended."""
    mine = process.fresh_mark()
    pid, began, _ = mine.split(".")
    assert int(pid) == os.getpid()
    assert not process.is_left_alone(mine)
    assert process.is_left_alone(f"{pid}.{int(began) - 1}.0123")
    assert not any(map(process.is_left_alone, ("", "0123456789abcdef", "1.", "-1.2.3", f"{pid}.x.y")))
    look = process.Look.at(os.getpid())
    assert look is not None
    assert 0 <= look.age < 1e6
