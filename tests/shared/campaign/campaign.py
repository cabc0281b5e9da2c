# SPDX-License-Identifier: Apache-2.0
"""A whole campaign: the server, the world, the network, the stations and what befalls them, and the referee's judgement."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.builders.postgresql import PORT, Server
from tests.shared.campaign import network, world
from tests.shared.campaign.chaos import Chaos, Life
from tests.shared.campaign.evidence import Evidence
from tests.shared.campaign.network import Control
from tests.shared.campaign.plan import Plan
from tests.shared.campaign.processes import Process
from tests.shared.campaign.report import Outcome, outcome

WITHIN = 120.0  # seconds, on a slow machine
MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Centre:
    """The centre's database, as its owner reaches it."""

    server: Server
    database: str

    @property
    def dsn(self) -> str:
        return self.server.dsn(self.database)

    def dsn_by_network(self, station: str) -> str:
        """The way of one station, by its role."""
        folder = self.server.folder / "net" / station
        return f"host={folder} port={PORT} dbname={self.database} user={role(station)}"


def role(station: str) -> str:
    return station.replace("-", "_")


def run(
    plan: Plan,
    server: Server,
    set_up: Callable[[Plan, Server], str],
    run_station: Callable[[Plan, Life], None],
    open_centre: Callable[[str], None],
) -> Outcome:
    """Runs a campaign in a folder of its own.

    `set_up` makes the centre's database and returns its name; `run_station` is a station's process; `open_centre` is given
    the owner's connection string.
    """
    with _folder(plan) as folder:
        centre = Centre(server, set_up(plan, server))
        began = time.monotonic()
        chaos = _befall(plan, folder, centre, run_station, lambda: open_centre(centre.dsn))
        seconds = time.monotonic() - began
        with psycopg.connect(centre.dsn) as connection:
            return outcome(plan, Evidence.read(folder, connection), chaos.counts, chaos.died, seconds)


def _befall(
    plan: Plan,
    folder: Path,
    centre: Centre,
    run_station: Callable[[Plan, Life], None],
    open_centre: Callable[[], None],
) -> Chaos:
    """Runs world, network and stations to their end. What is left is in the folder."""
    account, errors = folder / "world.json", folder / "errors.txt"
    around = [
        Process.forked(lambda: world.serve(folder / "world.sock", account, plan.seed, plan.lost_answers), errors),
        Process.forked(lambda: network.serve(centre.server, plan.names, folder / "net.sock"), errors),
    ]
    try:
        _until(lambda: (folder / "world.sock").exists() and (folder / "net.sock").exists(), errors)
        control = Control(folder / "net.sock")
        chaos = Chaos(plan, folder, centre.server, control, centre.dsn_by_network, run_station, open_centre)
        try:
            chaos.run()
        finally:
            for seat in [*chaos.seats, *chaos.retired]:
                if seat.process is not None:
                    seat.process.kill()
        control.close()
        around[0].end()
        _until(account.exists, errors)
        if not around[0].wait(WITHIN):
            raise TimeoutError("the world does not end")
    finally:
        for process in around:
            process.kill()
    return chaos


@contextmanager
def _folder(plan: Plan) -> Iterator[Path]:
    """The plan's folder, or one in memory that is removed: a hundred stations wait for one disk otherwise."""
    if plan.folder is not None:
        plan.folder.mkdir(parents=True)
        yield plan.folder
        return
    folder = Path(tempfile.mkdtemp(prefix="campaign-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _until(done: Callable[[], bool], errors: Path) -> None:
    end = time.monotonic() + WITHIN
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(errors.read_text(encoding="utf-8")[-2000:] if errors.exists() else "nothing is told")
        time.sleep(0.02)
