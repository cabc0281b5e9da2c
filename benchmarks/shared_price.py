# SPDX-License-Identifier: Apache-2.0
"""What `[shared]` costs a daemon: two daemons at one bench in real time, one of them with a centre, round after round in turns."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from benchmarks import processes
from benchmarks.recording import RunUnusable
from station.adapters.centre import administration
from tests.builders.centres import owner
from tests.builders.line import LOG, LineFailed, configuration
from tests.builders.postgresql import MISSING, Server, programs
from tests.builders.two_lines import FIRST, LOT, PATTERN, SIZE, Station, TwoLines
from virtual_bench.server import control as bench

SLOTS = 64
SETTLED = 3.0  # seconds after the last verdict: what the centre is told of a round belongs to the round


@dataclass
class Price:
    """Of each daemon: each round's CPU seconds a unit, and the peak of its memory in bytes at the end."""

    alone: list[float] = field(default_factory=list)
    shared: list[float] = field(default_factory=list)
    memory_alone: int = 0
    memory_shared: int = 0


class _Both(TwoLines):
    """A daemon without a centre, and one beside it with `dsn`, each with `slots` slots."""

    dsn = ""

    @property
    def stations(self) -> tuple[Station, Station]:
        return Station("alone", 1, self), Station("line-1", 1 + self.slots, self)

    def start_daemon(self) -> None:
        probes = json.loads((self.folder / "bench.json").read_text())["probes"]
        key = self.folder / "fleet.key"
        key.touch(0o600)
        key.write_text("a7" * 32)
        shared = f'\n[shared]\ndsn = "{self.dsn}"\nfleet_key = "fleet.key"\n'
        for station, more in zip(self.stations, ("", shared), strict=True):
            station.state.mkdir()
            own = probes[station.port - 1 :][: self.slots]
            text = configuration(self.recipe, own).replace('state = "."', f'state = "{station.name}"')
            text = text.replace('"demo-line"', f'"{station.name}"').replace(f'"{LOG}"', f'"logs/{station.name}.jsonl"')
            station.config.write_text(text + more)
            station.start()


def price(folder: Path, rounds: int, slots: int = SLOTS) -> Price:
    """Measures after one round that is not counted. Raises `RunUnusable`."""
    if programs() is None:
        raise RunUnusable(MISSING)
    found = Price()
    try:
        with _both(folder, slots) as (alone, shared):
            for number in range(rounds + 1):
                order = ((alone, found.alone), (shared, found.shared))
                for station, units in order if number % 2 else order[::-1]:
                    cost = _round(station, slots)
                    if number:
                        units.append(cost / slots)
            shared.told()
            found.memory_alone, found.memory_shared = (
                processes.peak_memory(each.line.processes[each.name].pid) for each in (alone, shared)
            )
    except (LineFailed, AssertionError) as exc:
        raise RunUnusable(str(exc)) from exc
    return found


@contextmanager
def _both(folder: Path, slots: int) -> Iterator[tuple[Station, Station]]:
    with Server(durable=True) as server:
        database = server.database()
        with owner(server, database) as connection:
            administration.init(connection)
            administration.add_lot(connection, LOT, PATTERN, FIRST, SIZE)
            administration.add_station(connection, "line-1", "line_1")
        told = patch.multiple(_Both, dsn=server.dsn(database, "line_1"), slots=slots)
        with told, _Both.standing(folder, 2 * slots, time_scale=1.0) as line:
            assert isinstance(line, _Both)
            alone, shared = line.stations
            release = shared.until_shared(lambda shared: bool(shared.release)).release
            with owner(server, database) as connection:
                administration.approve(connection, release, LOT)
            shared.until(
                lambda status: status.line.state == "open" and bool(status.shared and status.shared.items_left)
            )
            yield alone, shared


def _round(station: Station, slots: int) -> float:
    """CPU seconds of the daemon while so many new boards come at once and pass."""
    ports = list(range(station.port, station.port + slots))
    pid, folder = station.line.processes[station.name].pid, station.line.folder
    began = processes.cpu_seconds(pid)
    bench.ask(folder, "plug", ports=ports, new=True, radio={})
    verdicts = _verdicts(station)
    faults = {slot.fault for slot in station.status().slots if slot.fault is not None}
    time.sleep(SETTLED)
    used = processes.cpu_seconds(pid) - began
    bench.ask(folder, "unplug", ports=ports)
    station.until(lambda status: all(slot.probe is None for slot in status.slots))
    if (passed := verdicts.count("pass")) < slots:
        raise RunUnusable(f"{station.name}: {passed} of {slots} boards passed; {', '.join(sorted(faults))}")
    return used


def _verdicts(station: Station) -> list[str | None]:
    """Asks seldom, since an answer costs the daemon processor time."""
    deadline = time.monotonic() + 300.0
    while not all(verdicts := [slot.verdict for slot in station.status().slots]):
        if time.monotonic() > deadline:
            raise RunUnusable(f"{station.name}: some boards got no verdict")
        time.sleep(1.0)
    return verdicts
