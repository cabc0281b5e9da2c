# SPDX-License-Identifier: Apache-2.0
"""A station that shares its ledger, and whose PostgreSQL server is killed; the centre must have each unit once in the end."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from station.adapters.system.secret_files import SHARED_MEMORY
from station.daemon import control
from station.domain.product import Plan
from station.line.status import Status
from tests.builders.line import Line, LineFailed
from tests.builders.postgresql import Server
from tests.builders.two_lines import Factory, TwoLines, factory
from tests.campaign.canaries import ProcessSampler
from tests.campaign.referee.remains import observed
from tests.line import pki_line, struck
from tests.line.kill_line import CellFailed, KillLine
from tests.line.kill_lines import SETTINGS, recipe_with
from tests.line.kill_states import Cell, Victim

AT_CENTRE = """SELECT (SELECT count(*) FROM identity WHERE uid = unit.uid), (SELECT count(*) FROM certificate WHERE uid = unit.uid),
    rank FROM unit WHERE uid = decode('{uid}', 'hex')"""
PASSED = 4  # the rank


class HeldTwo(TwoLines):
    """Two stations, of which the first stands still at a moment."""

    program_of_first = "tests.line.held"


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
class SharedKillLine(KillLine):
    """As `KillLine`, without labels and MES."""

    labels: bool = False
    two: Factory = field(kw_only=True)

    @property
    def state(self) -> Path:
        return self.two.first.state

    def _settled(self, cell: Cell) -> None:
        super()._settled(cell)
        self.two.first.until_shared(lambda shared: shared.state == "away")

    def _rests(self) -> None:
        """Returns when the centre has all, which must be each unit once."""
        self.two.first.told()
        uid = self._uid()
        assert self.two.asked(AT_CENTRE.format(uid=uid)) == [(1, 1, PASSED)], f"the centre has {uid} otherwise"
        assert self.two.asked("SELECT kind, detail FROM anomaly") == []

    def _check_accounts(self, *, surplus: bool) -> None:
        """Nothing of the PKI's was lost, so each certificate is a unit's."""
        assert not surplus
        sold = Counter(int(str(each["serial_number"]), 16) for each in pki_line.issued(self.line.folder))
        live = Counter(int(str(number), 16) for (number,) in self._asked("SELECT dac_serial_number FROM certificate"))
        assert sold == live


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
            yield SharedKillLine(
                line,
                work,
                work,
                Path(runtime),
                {Victim.POSTGRESQL: Postmaster(two.server)},
                ProcessSampler(work / "processes.jsonl"),
                two=two,
            )
        left = observed(work, Path(runtime))
        if left.processes or left.locks or left.shared_memory:
            raise CellFailed(f"something is left behind: {left}")
