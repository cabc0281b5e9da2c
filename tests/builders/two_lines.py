# SPDX-License-Identifier: Apache-2.0
"""Two stations at one hub, each with slots of its own, and one centre, from outside: for tests and trials."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from station.adapters.centre import administration
from station.adapters.ledger.reader import LedgerReader, UnitStory
from station.adapters.ledger.shared import reading
from station.daemon import control
from station.domain.attempt import ProcedureChosen
from station.line.status import SharedStatus, SlotStatus, Status
from tests.builders.centres import owner
from tests.builders.commands import bench
from tests.builders.json_lines import lines_of
from tests.builders.line import LOG, RECIPE, Line, configuration
from tests.builders.log_words import checked
from tests.builders.network import Network, Way
from tests.builders.postgresql import Server
from tests.builders.station_demo import SHORT_DEADLINES
from tests.line import told_modules

WITHIN = 300.0
LOT, PATTERN, FIRST, SIZE = "LIGHTING-2026", "LT26{:08d}", 1, 1_000_000  # of the recipe
STEPS = 0.05  # of the real time: the kill must find its step


@dataclass
class Station:
    """One daemon and its slots, the first of them at `port`."""

    name: str
    port: int
    line: "TwoLines"

    program: str = "station"

    @property
    def config(self) -> Path:
        return self.line.folder / f"{self.name}.toml"

    @property
    def state(self) -> Path:
        return self.line.folder / self.name

    def start(self) -> None:
        self.begin()
        self.ready()

    def ready(self) -> None:
        """Returns when the daemon answers."""
        self.line.wait_for(self.name, self._answers)

    def begin(self) -> None:
        """Starts the daemon."""
        url = json.loads((self.line.folder / "pki" / "ready.json").read_text())["url"]
        arguments = ("run", "--config", str(self.config))
        told = {told_modules.VARIABLE: str(self.state / "modules")}
        self.line.start(self.name, self.program, *arguments, STATION__PKI__URL=url, **told)

    def stop(self) -> None:
        process = self.line.processes[self.name]
        process.send_signal(signal.SIGTERM)
        process.wait(WITHIN)

    def kill(self) -> None:
        process = self.line.processes[self.name]
        process.send_signal(signal.SIGKILL)
        process.wait(WITHIN)

    def _answers(self) -> bool:
        try:
            self.status()
        except (control.DaemonAbsent, OSError):
            return False
        return True

    def status(self) -> Status:
        return Status.model_validate(control.ask(self.state / "station.sock", "status"))

    def until(self, so: Callable[[Status], bool]) -> Status:
        deadline = time.monotonic() + WITHIN
        while not so(status := self.status()):
            assert time.monotonic() < deadline, status
            time.sleep(0.02)
        return status

    def until_shared(self, so: Callable[[SharedStatus], bool]) -> SharedStatus:
        status = self.until(lambda status: status.shared is not None and so(status.shared))
        assert status.shared is not None
        return status.shared

    def told(self) -> None:
        """Returns when the centre has all that this station has journalled: by its ledger, since the status may be a round behind."""
        deadline = time.monotonic() + WITHIN
        while not self._has_told():
            assert time.monotonic() < deadline, self.status()
            time.sleep(0.02)
        self.until_shared(lambda shared: shared.state == "up")

    def _has_told(self) -> bool:
        with reading(self.state / "ledger.sqlite") as journal:
            standing = journal.standing()
        return 0 < standing.lines == standing.acked

    def judged(self, *, new: bool = False) -> SlotStatus:
        """Plugs in the board of this slot, awaits its verdict, and pulls it."""
        bench("plug", str(self.port), *(["--new"] if new else []), "--dir", self.line.folder)
        slot = self.until(lambda status: status.slots[0].verdict is not None).slots[0]
        bench("unplug", str(self.port), "--dir", self.line.folder)
        self.until(lambda status: status.slots[0].probe is None)
        return slot

    def story(self, uid: str | None) -> UnitStory:
        found = LedgerReader(self.state / "ledger.sqlite").unit(uid or "")
        assert found is not None
        return found

    def procedures(self, uid: str | None) -> list[str]:
        """The procedures of the attempts on one board here, each with its verdict."""
        return [
            f"{event.procedure} {attempt.summary.verdict}"
            for attempt in self.story(uid).attempts
            for event in (entry.event for entry in attempt.journal)
            if isinstance(event, ProcedureChosen)
        ]


class TwoLines(Line):
    """Bench and PKI with two stations; `dsns` are their ways to the centre, `reader` their pages'."""

    dsns: tuple[str, str] = ("", "")
    reader = ""
    slots = 1  # of each station
    program_of_first = "station"

    @property
    def alone(self) -> Station:
        """A third one without a centre, which tells what it has imported."""
        return Station("alone", 2 * self.slots + 1, self, "tests.line.told_modules")

    @property
    def stations(self) -> tuple[Station, Station]:
        return Station("line-1", 1, self, self.program_of_first), Station("line-2", 1 + self.slots, self)

    def start_daemon(self) -> None:
        probes = json.loads((self.folder / "bench.json").read_text())["probes"]
        key = self.folder / "fleet.key"
        key.touch(0o600)
        key.write_text("a7" * 32)
        for station in (*self.stations, self.alone):
            station.state.mkdir()
            text = configuration(self.recipe, probes[station.port - 1 :][: self.slots]).replace(
                'state = "."', f'state = "{station.name}"'
            )
            text = text.replace('"demo-line"', f'"{station.name}"').replace(f'"{LOG}"', f'"logs/{station.name}.jsonl"')
            station.config.write_text(text)
        for station, dsn in zip(self.stations, self.dsns, strict=True):
            with station.config.open("a") as config:
                config.write(self.further)
                config.write(f'\n[shared]\ndsn = "{dsn}"\nfleet_key = "fleet.key"\nsync_every = 0.1\n')
                # Else the centre would count as away on a busy machine, and others' units as elsewhere.
                config.write("claim_within = 20\n")
                config.write(f'reader = "{self.reader}"\n')
            station.start()

    def stop(self) -> None:
        for station in (*self.stations, self.alone):
            if (process := self.processes.get(station.name)) is not None and process.poll() is None:
                station.stop()
        super().stop()
        for station in self.stations:
            checked(self.folder / "logs" / f"{station.name}.jsonl")

    @property
    def issued(self) -> list[str]:
        """The DACs that the PKI has issued."""
        return lines_of(self.folder / "pki" / "issued.jsonl")

    def moved(self, port: int, to: int) -> None:
        bench("move", str(port), str(to), "--dir", self.folder)


@dataclass
class Factory:
    """Both stations, and their ways to the centre."""

    line: TwoLines
    first: Station
    second: Station
    ways: tuple[Way, Way]
    server: Server
    database: str

    def asked(self, query: str) -> list[tuple[object, ...]]:
        with owner(self.server, self.database) as connection:
            return connection.execute(query.encode()).fetchall()

    def approve(self) -> None:
        """Approves the release of both stations, which refused to make any unit until then; returns when both may."""
        release = self.first.until_shared(lambda shared: bool(shared.release)).release
        assert self.first.until(lambda status: status.line.fault is not None).line.fault == "recipe.not_approved"
        with owner(self.server, self.database) as connection:
            administration.approve(connection, release, LOT)
        for station in (self.first, self.second):
            station.until(
                lambda status: status.line.state == "open" and bool(status.shared and status.shared.items_left)
            )


@contextmanager
def factory(
    folder: Path,
    slots: int = 1,
    *,
    kind: type[TwoLines] = TwoLines,
    time_scale: float = STEPS,
    recipe: Path = RECIPE,
    further: str = "",
) -> Iterator[Factory]:
    """Both stations with so many slots each; nobody has approved their release yet. `further`: tables of both configurations."""
    with Server() as server, Network(server) as network, patch.dict(os.environ, SHORT_DEADLINES):
        database = server.database()
        with owner(server, database) as connection:
            assert administration.init(connection) == []
            administration.add_lot(connection, LOT, PATTERN, FIRST, SIZE)
            for number in (1, 2):
                administration.add_station(connection, f"line-{number}", f"line_{number}")
            connection.execute("CREATE ROLE page LOGIN IN ROLE station_reader")
        ways = network.way("one"), network.way("two")
        dsns = ways[0].dsn(database, "line_1"), ways[1].dsn(database, "line_2")
        told = patch.multiple(TwoLines, dsns=dsns, reader=server.dsn(database, "page"), slots=slots)
        standing = kind.standing(folder, 2 * slots + 1, time_scale=time_scale, recipe=recipe, further=further)
        with told, standing as line:
            assert isinstance(line, TwoLines)
            yield Factory(line, *line.stations, ways, server, database)
