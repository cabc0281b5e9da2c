# SPDX-License-Identifier: Apache-2.0
"""A programmer that hangs and has outlived its station is ended by the next one; nobody else's is."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest
from structlog.testing import capture_logs

from station.adapters.programmer import probe_lock
from station.adapters.programmer.probe_lock import Waiting
from station.adapters.system import outlived, process
from station.adapters.system.child import Patience
from station.adapters.system.outlived import Outlived
from station.faults.slot import ProbeBusy

pytestmark = pytest.mark.slow

PROBE = "066CFF"
SOON = Waiting(within=0.1, patience=Patience(0.1, 0.1))
LONG = 1000.0  # seconds that a station lets its programmer run

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
    folder, probe, longest, *deaf_to = sys.argv[1:]
    async with probe_lock.held(Path(folder), probe, Waiting(200)) as lock:
        async with Child.started([sys.executable, "-IS", "-c", PROGRAMMER, *deaf_to], environment={},
                                 gone=asyncio.Event(), patience=Patience(), inherited=[lock],
                                 longest=float(longest)) as child:
            print(await child.line(), flush=True)
            await child.ended()

with orphans.adopted():
    asyncio.run(main())
"""


class Start(Protocol):
    def __call__(
        self, deaf_to: Sequence[signal.Signals] = (), longest: float = 0.0
    ) -> tuple[subprocess.Popen[str], int]: ...


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Start]:
    """Starts a station that runs a programmer which hangs and is deaf to these signals; returns it and the programmer's number."""
    stations: list[subprocess.Popen[str]] = []
    programmers: list[int] = []

    def start(deaf_to: Sequence[signal.Signals] = (), longest: float = 0.0) -> tuple[subprocess.Popen[str], int]:
        arguments = [str(tmp_path), PROBE, str(longest), *(str(int(number)) for number in deaf_to)]
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
    _, programmer = station()
    with pytest.raises(ProbeBusy):
        async with probe_lock.held(tmp_path, PROBE, SOON):
            pass
    os.kill(programmer, 0)


async def test_it_may_end_by_itself_before(station: Start, tmp_path: Path) -> None:
    """Until its time is over nobody disturbs it: a torn transfer would wedge the probe."""
    begun, programmer = station(longest=LONG)
    killed(begun)

    async def hold() -> None:
        async with probe_lock.held(tmp_path, PROBE, SOON):
            pass

    with capture_logs() as told:
        holding = asyncio.ensure_future(hold())
        done, _ = await asyncio.wait({holding}, timeout=0.5)
        assert not done
        os.kill(programmer, signal.SIGTERM)
        await asyncio.wait_for(holding, 200)
    assert [each["event"] for each in told] == ["probe.awaited"]


async def test_a_station_may_be_killed_while_the_next_one_waits(
    station: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the wait is over, the next one looks again, and gives the programmer the rest of its time."""
    begun, programmer = station()
    looked = outlived.holding

    def holding(path: Path) -> list[Outlived]:
        found = looked(path)
        killed(begun)
        return found

    monkeypatch.setattr(outlived, "holding", holding)
    with capture_logs() as told:
        async with probe_lock.held(tmp_path, PROBE, SOON):
            pass
    assert [each["event"] for each in told] == ["probe.awaited", "probe.awaited", "probe.freed"]
    assert told[-1]["pid"] == programmer


@pytest.mark.parametrize(("longest", "moment"), [(LONG, "probe.awaited"), (0.0, "probe.freed")])
async def test_whoever_waits_may_be_cancelled(station: Start, tmp_path: Path, longest: float, moment: str) -> None:
    """The board was pulled, or the daemon ends: also between two signals. Nothing is left open, and a later one goes on."""
    begun, programmer = station([signal.SIGINT], longest)
    killed(begun)
    await asyncio.to_thread(os.getpid)  # the loop's own descriptors and threads are there now
    before = sorted(Path("/proc/self/fd").iterdir())

    async def hold() -> None:
        async with probe_lock.held(tmp_path, PROBE, replace(SOON, patience=Patience(LONG, LONG))):
            pass

    with capture_logs() as told:
        holding = asyncio.ensure_future(hold())
        while moment not in [each["event"] for each in told]:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(holding, 200)
    assert sorted(Path("/proc/self/fd").iterdir()) == before
    (found,) = outlived.holding(tmp_path / f"{PROBE}.lock")
    assert found.pid == programmer
    assert await found.end(SOON.patience)


async def test_a_number_that_another_process_has_by_now_is_not_signalled(station: Start, tmp_path: Path) -> None:
    """A process is known by its number and its start."""
    begun, programmer = station()
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
    forged = ("", "0123456789abcdef", "1.", "-1.2.3", f"{pid}.x.y", "9" * 5000 + ".1.0", "1.1.0.-5", "1.1.0.\u0661")
    assert not any(map(process.is_left_alone, forged))
    assert {*map(process.longest_of, (*forged, mine))} == {None}
    assert process.longest_of(process.fresh_mark(17.2)) == 18
    look = process.Look.at(os.getpid())
    assert look is not None
    assert 0 <= look.age < 1e6
