# SPDX-License-Identifier: Apache-2.0
"""A small campaign at two stations with one centre, whose remains the referee's tests spoil: three boards, two of which change the station."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from station.line.status import SlotStatus
from tests.builders.station_demo import PATIENT_DEADLINES
from tests.campaign.canaries import ProcessSampler
from tests.campaign.ending import at_rest
from tests.campaign.recorded import left_by
from tests.campaign.world import World, two_stations
from tests.mes.receiver import Receiver
from virtual_bench.server import control as bench

WITHIN = 300.0
FIRST, SECOND = "line-1", "line-2"
STAYS, MOVES, RETURNS = 1, 2, 3
"""The boards' numbers: one stays at the first station; one fails there and passes at the second; one has passed, and passes there again."""


def recorded_at_two(folder: Path) -> Path:
    """Runs the campaign; returns the folder that it leaves."""

    def play(world: World, _: Receiver, sampler: ProcessSampler) -> Mapping[str, object]:
        here, there = (station.ports.start for station in world.stations)
        _judged(world, here, "pass", new=True)
        bench.ask(world.folder, "fault", fault={"board": MOVES, "at": "deliver", "what": "qspi_error"})
        _judged(world, here, "fail", new=True)
        assert world.factory is not None
        world.factory.first.told()
        bench.ask(world.folder, "move", port=here, to=there)
        _judged(world, there, "pass")
        _judged(world, here, "pass", new=True)
        world.factory.first.told()
        bench.ask(world.folder, "move", port=here, to=there)
        _judged(world, there, "pass")
        sampler.sample(each.pid for each in world.line.processes.values())
        at_rest(world)
        return {"labels": True}

    return left_by(play, folder, two_stations(2), PATIENT_DEADLINES)


def _judged(world: World, port: int, verdict: str, *, new: bool = False) -> None:
    """Seats the board, or a fresh one, awaits its verdict, and pulls it."""
    bench.ask(world.folder, "plug", ports=[port], new=new, radio={})
    slot = _until(world, port, lambda slot: slot.verdict is not None)
    assert slot.verdict == verdict, slot
    bench.ask(world.folder, "unplug", ports=[port])
    _until(world, port, lambda slot: slot.probe is None)


def _until(world: World, port: int, so: Callable[[SlotStatus], bool]) -> SlotStatus:
    deadline = time.monotonic() + WITHIN
    while not so(slot := world.at(port).slot(port)):
        assert time.monotonic() < deadline, slot
        time.sleep(0.02)
    return slot
