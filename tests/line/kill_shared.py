# SPDX-License-Identifier: Apache-2.0
"""A station that shares its ledger: it is killed, or its PostgreSQL server, or their way to each other.

In the end the centre must have each unit once, and of the serial numbers that it has given those that the station holds.
"""

import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from station.adapters.centre import administration
from station.adapters.system.secret_files import SHARED_MEMORY
from station.config import line as configuration
from station.domain.product import Plan
from station.recipe.files import line_recipe
from station.recipe.recipe import Recipe
from tests.builders.centres import owner
from tests.builders.two_lines import LOT, PATTERN, Factory, TwoLines, factory
from tests.campaign.canaries import ProcessSampler
from tests.campaign.referee.remains import observed
from tests.line import struck
from tests.line.kill_line import MOVING, CellFailed, KillLine
from tests.line.kill_lines import SETTINGS, recipe_with
from tests.line.kill_states import Cell, Kind, State, Victim
from tests.line.kill_victims import Daemon, FirstStation, Postmaster, Process, Programmer, Sessions, WayToCentre
from tests.line.test_recovery import Log

AT_CENTRE = """SELECT (SELECT count(*) FROM identity WHERE uid = unit.uid), (SELECT count(*) FROM certificate WHERE uid = unit.uid),
    rank FROM unit WHERE uid = decode('{uid}', 'hex')"""
PASSED = 4  # the rank
BLOCKS = """SELECT lot, number FROM block WHERE state = 'held' AND station = (SELECT id FROM station WHERE name = '{station}')
    ORDER BY lot, number"""
SIZE = 10_000  # of a lot


class HeldTwo(TwoLines):
    """Two stations, of which the first stands still at a moment."""

    program_of_first = "tests.line.held"


@dataclass
class SharedKillLine(KillLine):
    """As `KillLine`, without labels and MES."""

    labels: bool = False
    two: Factory = field(kw_only=True)
    lots: int = 0
    """Those that the first station was given on the way."""

    @property
    def state(self) -> Path:
        return self.two.first.state

    @property
    def config(self) -> Path:
        return self.two.first.config

    def _log(self) -> Log:
        return Log(self.line.folder, self.two.first.name)

    def _reached(self, state: State) -> threading.Thread | None:
        if state.kind is not Kind.NEW_LOT:
            return super()._reached(state)
        self.two.first.stop()
        self._given_lot()
        self._strikes(state.name)
        daemon = self.victims[Victim.DAEMON]
        assert isinstance(daemon, Daemon)
        daemon.begin()
        self._held()
        return None

    def _given_lot(self) -> None:
        """Has the first station make another lot, of which it has no serial numbers yet; the centre knows both."""
        self.lots += 1
        lot, pattern = f"LOT-{self.lots}", f"L{self.lots}-{{:06d}}"
        text = self.line.recipe.read_text(encoding="utf-8")
        assert text.count(f'"{LOT}"') == text.count(f'"{PATTERN}"') == 1
        recipe = self.line.recipe.with_name(f"{lot}.toml")
        text = text.replace(LOT, lot).replace(PATTERN, pattern).replace("size = 1_000_000", f"size = {SIZE}")
        recipe.write_text(text, encoding="utf-8")
        first, *rest = self.config.read_text(encoding="utf-8").splitlines(keepends=True)
        assert first.startswith("recipe = ")
        self.config.write_text(f"recipe = {json.dumps(str(recipe))}\n{''.join(rest)}", encoding="utf-8")
        made = line_recipe.load(configuration.load(self.config, {}))
        assert isinstance(made, Recipe)
        with owner(self.two.server, self.two.database) as connection:
            administration.add_lot(connection, lot, pattern, 1, SIZE)
            administration.approve(connection, made.release, lot)
            administration.open_now(connection)  # the cell before may have killed the server

    def _brought_to_pass(self) -> list[str]:
        """A centre whose server has just started gives no numbers for some minutes, unless a person says that it was not set back."""
        self._until(lambda: self._slot().state not in MOVING | {"empty"} or self._must_be_opened())
        if not self._must_be_opened():
            return super()._brought_to_pass()
        with owner(self.two.server, self.two.database) as connection:
            administration.open_now(connection)
        return ["opens the centre", *super()._brought_to_pass()]

    def _must_be_opened(self) -> bool:
        shared = self._alive(self.line.status).shared
        return shared is not None and "station central open" in (shared.reason or "")

    def _struck(self, cell: Cell) -> None:
        super()._struck(cell)
        if cell.state.kind is Kind.NEW_LOT and cell.victim is not Victim.DAEMON:
            self.two.first.ready()

    def _settled(self, cell: Cell) -> None:
        super()._settled(cell)
        # Of the absence of its process alone the station may not hear, since the server is soon back.
        if cell.victim is not Victim.SESSION:
            self.two.first.until_shared(lambda shared: shared.state == "away")

    def _rests(self) -> None:
        """Returns when the centre has all, which must be each unit once."""
        self.two.first.told()
        uid = self._uid()
        assert self.two.asked(AT_CENTRE.format(uid=uid)) == [(1, 1, PASSED)], f"the centre has {uid} otherwise"
        assert self.two.asked("SELECT kind, detail FROM anomaly") == []
        self._until(lambda: self._blocks_here() == self._blocks_there())
        assert self._asked("SELECT count(*) FROM shared_state WHERE request IS NOT NULL") == [(0,)]

    def _blocks_here(self) -> list[tuple[object, ...]]:
        """The blocks of serial numbers that the station holds."""
        return self._asked("SELECT lot, number FROM block WHERE given_back = 0 ORDER BY lot, number")

    def _blocks_there(self) -> list[tuple[object, ...]]:
        """Those that the centre has given to the station, and has not back."""
        return self.two.asked(BLOCKS.format(station=self.two.first.name))


@contextmanager
def standing(folder: Path, plan: Plan) -> Iterator[KillLine]:
    """Two stations and their centre; boards are seated at the first. In the end raises `CellFailed` if anything is left behind."""
    work = folder / "work"
    work.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as runtime:
        settings = {
            **SETTINGS,
            struck.FOLDER: str(work),
            "XDG_STATE_HOME": f"{work}/machine",
            "XDG_RUNTIME_DIR": runtime,
        }
        with (
            patch.dict("os.environ", settings),
            factory(work / "line", kind=HeldTwo, recipe=recipe_with(work, "", plan)) as two,
        ):
            two.approve()
            line = FirstStation(two.line.folder, two.line.recipe, {"daemon": two.line.processes["line-1"]}, two=two)
            victims: dict[Victim, Process] = {
                Victim.DAEMON: Daemon(line, two),
                Victim.POSTGRESQL: Postmaster(two.server),
                Victim.PROGRAMMER: Programmer(line),
                Victim.SESSION: Sessions(two),
                Victim.NETWORK: WayToCentre(two.ways[0]),
            }
            yield SharedKillLine(
                line,
                work,
                work,
                Path(runtime),
                victims,
                ProcessSampler(work / "processes.jsonl"),
                two=two,
            )
        left = observed(work, Path(runtime))
        if left.processes or left.locks or left.shared_memory:
            raise CellFailed(f"something is left behind: {left}")
