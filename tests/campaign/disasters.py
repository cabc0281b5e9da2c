# SPDX-License-Identifier: Apache-2.0
"""What befalls a whole line: its processes are killed or stand still, its ledger is held, its MES, printer or centre misbehaves."""

import json
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from station.daemon import control
from tests.builders.network import Mode
from tests.campaign.outages import clocks_apart, disk_full, printer_is
from tests.campaign.stepping import STEPS
from tests.campaign.story import CENTRE_LOST, PRINTER_MODES
from tests.campaign.world import At, World
from tests.mes.receiver import Receiver

WHILE = 1.5  # seconds that a disaster lasts
SOON = 10.0  # seconds for a programmer to be started, or a label to be printed, at a line that is at work
KNOWN_WITHIN = 60.0  # for the next look at the printer
LOOKED_EVERY = 0.005


@dataclass
class Disasters:
    """Carries out a disaster by its name in `story.DISASTERS`, at one of the stations, and notes it for the referee."""

    world: World
    receiver: Receiver
    chance: random.Random
    fired: Counter[str] = field(default_factory=Counter)
    troubles: list[dict[str, object]] = field(default_factory=list)
    kills: list[dict[str, object]] = field(default_factory=list)

    def befall(self, what: str) -> None:
        """Returns when it is over. Where nothing is there for it to befall, as no programmer at this moment, it does not count."""
        station = self.chance.choice(self.world.stations)
        line = self.world.line
        deeds: Mapping[str, Callable[[], None]] = {
            "daemon killed": lambda: self._daemon_killed(station),
            "daemon stands still": lambda: self._stands_still(what, station.process),
            "daemon restarted": lambda: self._daemon_restarted(station),
            "log reader gone": lambda: self._log_reader_gone(station),
            "pki killed": self._pki_killed,
            "pki stands still": lambda: self._stands_still(what, "pki"),
            "programmer killed": lambda: self._programmer_killed(station),
            "programmer stands still": lambda: self._programmer_stands_still(station),
            "ledger locked": lambda: self._ledger_locked(station),
            "disk full": lambda: self._outage(what, disk_full(station.daemon.pid)),
            "clock stepped": self._clock_stepped,
            "clocks apart": lambda: self._outage(what, clocks_apart(line)),
            "receiver down": lambda: self._receiver(what, "down"),
            "receiver drops": lambda: self._receiver(what, "drop"),
            "database killed": self._database_killed,
            "database stands still": self._database_stands_still,
            "half a label": self._half_a_label,
            **{name: partial(self._printer, name, mode) for name, mode in PRINTER_MODES.items()},
            **{name: partial(self._way_lost, name, Mode(mode), station) for name, mode in CENTRE_LOST.items()},
        }
        deeds[what]()

    @contextmanager
    def _noted(self, what: str, **more: object) -> Iterator[None]:
        began = time.time()
        try:
            yield
        finally:
            self.fired[what] += 1
            self.troubles.append({"what": what, "from": began, "to": time.time(), **more})

    def _outage(self, what: str, outage: AbstractContextManager[object]) -> None:
        with self._noted(what), outage:
            time.sleep(WHILE)

    # --- the stations -------------------------------------------------------------------------------------------------

    def _daemon_killed(self, station: At) -> None:
        with self._noted("daemon killed"):
            self._kill(station.process)
            station.start()

    def _daemon_restarted(self, station: At) -> None:
        with self._noted("daemon restarted"):
            station.stop()
            station.start()

    def _log_reader_gone(self, station: At) -> None:
        """As `station run | head -1`. The daemon is started again afterwards, since nobody can give it another reader."""
        with self._noted("log reader gone"):
            station.reader.kill()
            station.reader.wait()
            time.sleep(WHILE)
        self._daemon_restarted(station)

    def _kill(self, name: str) -> None:
        process = self.world.line.processes[name]
        process.kill()
        process.wait()
        self.kills.append({"who": name, "at": time.time()})

    def _stands_still(self, what: str, name: str) -> None:
        with self._noted(what):
            self.world.line.processes[name].send_signal(signal.SIGSTOP)
            try:
                time.sleep(WHILE)
            finally:
                self.world.line.processes[name].send_signal(signal.SIGCONT)

    def _ledger_locked(self, station: At) -> None:
        """Another program writes into the ledger and does not end."""
        with (
            self._noted("ledger locked"),
            closing(sqlite3.connect(station.ledger, timeout=60, isolation_level=None)) as other,
        ):
            other.execute("BEGIN IMMEDIATE")
            time.sleep(WHILE)
            other.execute("ROLLBACK")

    def _clock_stepped(self) -> None:
        seconds = self.chance.choice(STEPS)
        with self._noted("clock stepped", seconds=seconds), self.world.clock.stepped(seconds):
            time.sleep(WHILE)

    def _programmer_killed(self, station: At) -> None:
        for pid in _programmers(station):
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(pid, signal.SIGKILL)
                self.kills.append({"who": "programmer", "at": time.time()})
                with self._noted("programmer killed"):
                    return

    def _programmer_stands_still(self, station: At) -> None:
        for pid in _programmers(station):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                with self._noted("programmer stands still"):
                    time.sleep(WHILE)
                    os.kill(pid, signal.SIGCONT)
                    return

    # --- what the stations need ---------------------------------------------------------------------------------------

    def _pki_killed(self) -> None:
        with self._noted("pki killed"):
            line = self.world.line
            ready = json.loads((line.folder / "pki" / "ready.json").read_text(encoding="utf-8"))
            port = urlsplit(str(ready["url"])).port
            assert port is not None
            self._kill("pki")
            time.sleep(WHILE)
            line.start_pki(port)

    def _receiver(self, what: str, mode: str) -> None:
        with self._noted(what):
            self.receiver.mode = mode
            time.sleep(WHILE)
            self.receiver.mode = "ok"

    def _printer(self, what: str, mode: str) -> None:
        self._outage(what, printer_is(self.world.printer, mode))

    def _half_a_label(self) -> None:
        """Its media end in the middle of the next label, if one comes soon; nobody puts in new ones before the station knows."""

        def halves() -> int:
            return len(list(self.world.printer.glob("*.half.zpl")))

        before, known = halves(), self._unproven()
        with self._noted("half a label"), printer_is(self.world.printer, "half"):
            _within(SOON, lambda: halves() > before)
            if halves() > before:
                time.sleep(WHILE)
                _within(KNOWN_WITHIN, lambda: bool(self._unproven() - known))
        self.fired["half a label"] -= halves() == before

    def _unproven(self) -> set[str]:
        """The labels of which a station does not know whether they are on paper."""
        found = set[str]()
        for station in self.world.stations:
            with suppress(control.DaemonAbsent, control.CommandRefused):
                listed = station.asks("label_status")["unproven"]
                assert isinstance(listed, list)
                found.update(f"{each['uid']} {each['copy']}" for each in listed)
        return found

    def _database_killed(self) -> None:
        assert self.world.factory is not None
        with self._noted("database killed"):
            self.world.factory.server.kill()
            self.kills.append({"who": "database", "at": time.time()})
            time.sleep(WHILE)
            self.world.factory.server.start()

    def _database_stands_still(self) -> None:
        assert self.world.factory is not None
        self._outage("database stands still", self.world.factory.server.standing_still())

    def _way_lost(self, what: str, mode: Mode, station: At) -> None:
        """One station's way to the centre fails; the other's does not."""
        assert self.world.factory is not None
        way = self.world.factory.ways[list(self.world.stations).index(station)]
        with self._noted(what):
            way.become(mode)
            time.sleep(WHILE)
            way.become(Mode.OK)


def _within(seconds: float, so: Callable[[], bool]) -> None:
    """Waits for that, and goes on without it."""
    deadline = time.monotonic() + seconds
    while not so() and time.monotonic() < deadline:
        time.sleep(LOOKED_EVERY)


def _programmers(station: At) -> Iterator[int]:
    """Those of the station that run at this moment, or soon."""
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline:
        for children in Path(f"/proc/{station.daemon.pid}/task").glob("*/children"):
            with suppress(OSError):
                for pid in map(int, children.read_text().split()):
                    if b"STM32_Programmer_CLI" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        yield pid
        time.sleep(LOOKED_EVERY)
