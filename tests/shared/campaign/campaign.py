# SPDX-License-Identifier: Apache-2.0
"""A whole campaign: the world, the network, the stations and what befalls them, and the referee's judgement."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.builders.postgresql import PORT, Server
from tests.shared.campaign import network, people, station, world
from tests.shared.campaign.chaos import Chaos
from tests.shared.campaign.evidence import Evidence
from tests.shared.campaign.network import Control
from tests.shared.campaign.plan import Plan, role
from tests.shared.campaign.processes import Process
from tests.shared.campaign.report import Outcome, outcome

WITHIN = 120.0  # seconds, on a slow machine
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "log_min_messages": "error"}
FAILED = ("shared.failed", "station.failed", "Traceback")  # words in the stations' log that tell of a bug


def memory() -> Path | None:
    """A place in memory, if there is one: a hundred stations wait for one disk otherwise."""
    place = Path("/dev/shm")
    return place if place.is_dir() else None


def server_for(plan: Plan) -> Server:
    """A server, not yet started, with as many connections as the stations need."""
    return Server(settings=SETTINGS | {"max_connections": str(4 * plan.stations + 20)})


@dataclass(frozen=True)
class Campaign:
    """One campaign in an empty folder, at a centre of its own on this server."""

    plan: Plan
    folder: Path
    server: Server
    database: str

    @classmethod
    def prepared(cls, plan: Plan, folder: Path, server: Server) -> "Campaign":
        return cls(plan, folder, server, people.make_centre(plan, server, station.RECIPE.release))

    def run(self, course: Callable[[Chaos], None] = Chaos.run) -> Outcome:
        """Runs it to its end. What is left, in the folder and at the centre, is judged and stays.

        `course` is what befalls the stations until they are drained.
        """
        began = time.monotonic()
        chaos = self._befall(course)
        seconds = time.monotonic() - began
        with psycopg.connect(chaos.server.dsn(self.database)) as connection:
            evidence = Evidence.read(self.folder, connection)
            return outcome(self.plan, evidence, chaos.counts, [*chaos.died, *self._failures()], seconds)

    def _befall(self, course: Callable[[Chaos], None]) -> Chaos:
        """Runs world, network and stations to their end."""
        account, answers, orders = (self.folder / name for name in ("world.json", "world.sock", "net.sock"))
        plan = self.plan
        around = [
            Process.forked(lambda: world.serve(answers, account, plan.seed, plan.lost_answers), self._errors),
            Process.forked(lambda: network.serve(self.server, plan.names, orders), self.folder / "network.txt"),
        ]
        try:
            self._until(lambda: answers.exists() and orders.exists())
            control = Control(orders, self.server)
            chaos = Chaos(plan, self.folder, self.server, self.database, control, self._by_network, station.run)
            try:
                course(chaos)
            finally:
                chaos.kill_all()
            control.close()
            around[0].end()
            self._until(account.exists)
            if not around[0].wait(WITHIN):
                raise TimeoutError("the world does not end")
        finally:
            for process in around:
                process.kill()
        return chaos

    def _by_network(self, name: str) -> str:
        """The way of one station to the centre, by its role."""
        folder = self.server.folder / "net" / name
        return f"host={folder} port={PORT} dbname={self.database} user={role(name)}"

    @property
    def _errors(self) -> Path:
        return self.folder / "errors.txt"

    def _failures(self) -> list[str]:
        """Bugs that the processes have logged."""
        lines = self._errors.read_text(encoding="utf-8").splitlines() if self._errors.exists() else []
        return [line for line in lines if any(word in line for word in FAILED)]

    def _until(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + WITHIN
        while not done():
            if time.monotonic() > end:
                raise TimeoutError(f"{self._errors}: it has the reason")
            time.sleep(0.02)
