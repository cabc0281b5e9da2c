# SPDX-License-Identifier: Apache-2.0
"""What befalls a whole line: its processes are killed or stand still, its ledger is held, its MES misbehaves."""

import json
import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.builders.line import Line
from tests.campaign.outages import clocks_apart, disk_full
from tests.mes.receiver import Receiver

WHILE = 1.5  # seconds that a disaster lasts
PROGRAMMER_WITHIN = 10.0  # seconds for one to be started, at a line that is at work
LOOKED_EVERY = 0.005


@dataclass
class Disasters:
    """Carries out a disaster by its name in `story.DISASTERS`, and notes it for the referee."""

    line: Line
    receiver: Receiver
    fired: Counter[str] = field(default_factory=Counter)
    troubles: list[dict[str, object]] = field(default_factory=list)
    kills: list[dict[str, object]] = field(default_factory=list)

    def befall(self, what: str) -> None:
        """Returns when it is over. Where nothing is there for it to befall, as no programmer at this moment, it does not count."""
        deeds: Mapping[str, Callable[[], None]] = {
            "daemon killed": self._daemon_killed,
            "daemon stands still": lambda: self._stands_still("daemon"),
            "pki killed": self._pki_killed,
            "pki stands still": lambda: self._stands_still("pki"),
            "programmer killed": self._programmer_killed,
            "programmer stands still": self._programmer_stands_still,
            "ledger locked": self._ledger_locked,
            "disk full": lambda: self._outage("disk full", disk_full),
            "clocks apart": lambda: self._outage("clocks apart", clocks_apart),
            "receiver down": lambda: self._receiver("down"),
            "receiver drops": lambda: self._receiver("drop"),
        }
        deeds[what]()

    @contextmanager
    def _noted(self, what: str) -> Iterator[None]:
        began = time.time()
        try:
            yield
        finally:
            self.fired[what] += 1
            self.troubles.append({"what": what, "from": began, "to": time.time()})

    def _daemon_killed(self) -> None:
        with self._noted("daemon killed"):
            self._kill("daemon")
            self.line.start_daemon()

    def _pki_killed(self) -> None:
        with self._noted("pki killed"):
            ready = json.loads((self.line.folder / "pki" / "ready.json").read_text(encoding="utf-8"))
            port = urlsplit(str(ready["url"])).port
            assert port is not None
            self._kill("pki")
            time.sleep(WHILE)
            self.line.start_pki(port)

    def _kill(self, name: str) -> None:
        process = self.line.processes[name]
        process.kill()
        process.wait()
        self.kills.append({"who": name, "at": time.time()})

    def _stands_still(self, name: str) -> None:
        with self._noted(f"{name} stands still"):
            self.line.processes[name].send_signal(signal.SIGSTOP)
            try:
                time.sleep(WHILE)
            finally:
                self.line.processes[name].send_signal(signal.SIGCONT)

    def _programmer_killed(self) -> None:
        for pid in self._programmers():
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(pid, signal.SIGKILL)
                self.kills.append({"who": "programmer", "at": time.time()})
                with self._noted("programmer killed"):
                    return

    def _programmer_stands_still(self) -> None:
        for pid in self._programmers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                with self._noted("programmer stands still"):
                    time.sleep(WHILE)
                    os.kill(pid, signal.SIGCONT)
                    return

    def _programmers(self) -> Iterator[int]:
        """The programmers that run at this moment, or soon."""
        daemon = self.line.processes["daemon"].pid
        deadline = time.monotonic() + PROGRAMMER_WITHIN
        while time.monotonic() < deadline:
            for children in Path(f"/proc/{daemon}/task").glob("*/children"):
                with suppress(OSError):
                    for pid in map(int, children.read_text().split()):
                        if b"STM32_Programmer_CLI" in Path(f"/proc/{pid}/cmdline").read_bytes():
                            yield pid
            time.sleep(LOOKED_EVERY)

    def _ledger_locked(self) -> None:
        """Another program writes into the ledger and does not end."""
        with (
            self._noted("ledger locked"),
            closing(sqlite3.connect(self.line.folder / "ledger.sqlite", timeout=60, isolation_level=None)) as other,
        ):
            other.execute("BEGIN IMMEDIATE")
            time.sleep(WHILE)
            other.execute("ROLLBACK")

    def _outage(self, what: str, outage: Callable[[Line], AbstractContextManager[None]]) -> None:
        with self._noted(what), outage(self.line):
            time.sleep(WHILE)

    def _receiver(self, mode: str) -> None:
        with self._noted("receiver down" if mode == "down" else "receiver drops"):
            self.receiver.mode = mode
            time.sleep(WHILE)
            self.receiver.mode = "ok"
