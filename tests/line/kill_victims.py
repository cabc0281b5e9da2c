# SPDX-License-Identifier: Apache-2.0
"""The processes that are killed, and what else is taken away: each with the way to have it again."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import psycopg

from station.daemon import control
from station.line.status import Status
from tests.builders.line import Line, LineFailed
from tests.builders.network import Mode, Way
from tests.builders.postgresql import Server
from tests.builders.two_lines import Factory
from tests.line.standing_line import Standing
from tests.line.test_recovery import programmers
from virtual_bench.server import control as bench

SESSIONS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'matter-station line-1'"
WITHIN = 300.0


class Process(Protocol):
    """One of the processes that can be killed."""

    def kill(self) -> None: ...
    def start(self) -> None: ...


@dataclass
class Started:
    """Daemon, PKI, printer or receiver, with the way to start it again."""

    line: Line
    name: str
    start: Callable[[], None]

    def kill(self) -> None:
        process = self.line.processes[self.name]
        process.kill()
        process.wait()


@dataclass
class Programmer:
    """The programmer that runs just now."""

    line: Line

    def kill(self) -> None:
        for pid in programmers(Standing(self.line)):
            os.kill(pid, signal.SIGKILL)

    def start(self) -> None:
        """Nothing: every run of the programmer is a new process."""


@dataclass
class Power:
    """The supply of the board, which dips: the core is reset, and what was in RAM is lost."""

    line: Line

    def kill(self) -> None:
        bench.ask(self.line.folder, "brown_out", ports=[1])

    def start(self) -> None:
        """Nothing: the supply has come back by itself."""


@dataclass
class FirstStation(Line):
    """The first of two stations, as a line of its own."""

    two: Factory | None = None

    def status(self) -> Status:
        assert self.two is not None
        try:
            return self.two.first.status()
        except control.DaemonAbsent as exc:
            raise LineFailed("the station has stopped") from exc


@dataclass
class Postmaster:
    """The server of the shared ledger."""

    server: Server

    def kill(self) -> None:
        self.server.kill()

    def start(self) -> None:
        self.server.start()


@dataclass
class Daemon:
    """The first station's."""

    line: FirstStation
    two: Factory

    def kill(self) -> None:
        self.two.first.kill()

    def start(self) -> None:
        self.begin()
        self.two.first.ready()

    def begin(self) -> None:
        """Starts it; it may stand still before it answers."""
        self.two.first.begin()
        self.line.processes["daemon"] = self.two.line.processes[self.two.first.name]


@dataclass
class Sessions:
    """PostgreSQL's processes for the first station. The server then ends all others, and recovers by itself."""

    two: Factory

    def kill(self) -> None:
        for (pid,) in self.two.asked(SESSIONS):
            os.kill(int(str(pid)), signal.SIGKILL)

    def start(self) -> None:
        """Returns when the server answers again."""
        deadline = time.monotonic() + WITHIN
        while True:
            try:
                self.two.asked("SELECT 1")
            except psycopg.OperationalError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                return


@dataclass
class WayToCentre:
    """The network between the first station and the centre."""

    way: Way

    def kill(self) -> None:
        self.way.become(Mode.REFUSE)

    def start(self) -> None:
        self.way.become(Mode.OK)
