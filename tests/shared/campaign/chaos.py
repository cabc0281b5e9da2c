# SPDX-License-Identifier: Apache-2.0
"""What befalls stations, network and centre, by a seed. Each kind of disaster comes at least once."""

import json
import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.builders.network import Mode
from tests.builders.postgresql import Server
from tests.shared.campaign import people
from tests.shared.campaign.evidence import LEDGER
from tests.shared.campaign.network import Control
from tests.shared.campaign.plan import Plan
from tests.shared.campaign.processes import Process

LOOKED_EVERY = 0.2
BOOTED_EVERY = 0.2
COPIED_AT, CRASHED_AT, CUT_AT, CUT_FOR = 0.15, 0.45, 0.6, 0.15  # shares of the campaign's time
SETTLED = 0.78  # from then on no disaster comes by a schedule
SEEN_WITHIN = 60.0  # seconds for a station's first lines to be written and to reach the centre
DOWN_FOR = 3.0  # seconds for which the centre's server stays down
RIVAL_FOR = 20.0  # seconds for which the elder of two PCs goes on, at most
WRONG_CLOCKS = (-7200, 3600, 86_400)
REFUSED_TO_OPEN = 3  # exit status of a station whose ledger will not open now


class Disaster(StrEnum):
    REFUSED = "network refuses"
    HOLE = "network a hole"
    DEAF = "network deaf"
    COMMIT = "COMMIT without answer"
    KILLED = "kill -9"
    OLD_COPY = "old copy put back"
    SNAPSHOT = "snapshot set back"
    DISK_LOST = "disk lost"
    TWO_PCS = "two PCs, one name"
    CENTRE_CRASHED = "PostgreSQL crashed"
    ALL_CUT = "everybody cut off"
    CLOCK = "clock hours wrong"


MODES = {
    Disaster.REFUSED: Mode.REFUSE,
    Disaster.HOLE: Mode.HOLE,
    Disaster.DEAF: Mode.DEAF,
    Disaster.COMMIT: Mode.COMMIT,
}
LOSSES = frozenset({Disaster.OLD_COPY, Disaster.SNAPSHOT, Disaster.DISK_LOST})

# How often each comes in a second, at a rate of 1.
OFTEN = {
    Disaster.REFUSED: 0.05,
    Disaster.HOLE: 0.05,
    Disaster.DEAF: 0.05,
    Disaster.COMMIT: 0.10,
    Disaster.KILLED: 0.085,
    Disaster.OLD_COPY: 0.035,
    Disaster.SNAPSHOT: 0.01,
    Disaster.DISK_LOST: 0.012,
    Disaster.TWO_PCS: 0.012,
}


@dataclass(frozen=True)
class Life:
    """One run of a station's process."""

    station: str
    number: int
    folder: Path
    world: Path
    dsn: str
    clock_wrong_by: int
    """Seconds."""
    chance: float
    offline_start: bool = True
    """Whether it may begin boards before the centre was reached. A machine that may be set back must not."""
    ending: bool = False
    """Whether it begins no board, and only tells what it has not told yet."""


@dataclass
class Seat:
    """A PC with a station's name. `backup` is a copy of its ledger and of its machine's record."""

    station: str
    folder: Path
    clock_wrong_by: int
    life: int = 0
    process: Process | None = None
    backup: Path | None = None
    cut_until: float | None = None
    may_boot_at: float = 0.0
    is_set_back: bool = False
    ending: bool = False

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def machine(self) -> Path:
        return self.folder / "machine"

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.alive


@dataclass
class Chaos:
    """Runs the stations and what befalls them. `run_station` is carried out in each station's process."""

    plan: Plan
    folder: Path
    server: Server
    database: str
    control: Control
    dsn_of: Callable[[str], str]
    run_station: Callable[[Plan, Life], None]
    counts: Counter[str] = field(default_factory=Counter)
    files: list[dict[str, object]] = field(default_factory=list)
    disasters: list[dict[str, object]] = field(default_factory=list)
    died: list[str] = field(default_factory=list)
    """Stations that have ended by themselves, with their exit status."""

    def __post_init__(self) -> None:
        self._chance = random.Random(self.plan.seed)
        clocks = [self._chance.choice([0, 0, 0, *WRONG_CLOCKS]) for _ in self.plan.names]
        clocks[0] = self._chance.choice(WRONG_CLOCKS)
        self.seats = [
            Seat(name, self.folder / name, clock) for name, clock in zip(self.plan.names, clocks, strict=True)
        ]
        self.counts[Disaster.CLOCK] = sum(clock != 0 for clock in clocks)
        self.retired: list[Seat] = []
        self._rivals: list[tuple[float, Seat]] = []
        self._graves = 0

    # The course of a campaign.

    def run(self) -> None:
        """All disasters, then the drain."""
        for seat in self.seats:
            self.boot(seat)
            time.sleep(BOOTED_EVERY)
        self._began = time.monotonic()
        schedule = self._schedule()
        while (now := time.monotonic()) < self._began + self.plan.seconds:
            time.sleep(LOOKED_EVERY)
            self._mend(now)
            while schedule and schedule[0][0] <= now:
                schedule.pop(0)[1]()
            for kind, often in OFTEN.items():
                if self._chance.random() < often * self.plan.rate * LOOKED_EVERY:
                    self._strike(kind, self._chance.choice(self.seats))
        for _, work in schedule:
            work()
        self.drain()

    def _schedule(self) -> list[tuple[float, Callable[[], None]]]:
        """What comes to every campaign, whatever its seed, by its time."""

        def at(share: float) -> float:
            return self._began + share * self.plan.seconds

        first = [(at(COPIED_AT), self._copy_some)]
        fixed = [(at(CRASHED_AT), self._crash), (at(CUT_AT), self._cut_all)]
        kinds = list(OFTEN)
        self._chance.shuffle(kinds)
        shares = [COPIED_AT + (SETTLED - COPIED_AT) * (turn + 1) / (len(kinds) + 1) for turn in range(len(kinds))]
        sure = [(at(share), lambda kind=kind: self._surely(kind)) for share, kind in zip(shares, kinds, strict=True)]
        return sorted([*first, *fixed, *sure], key=lambda each: each[0])

    def _surely(self, kind: Disaster) -> None:
        """As `_strike`, to a station to which it can happen now."""
        for seat in self._chance.sample(self.seats, len(self.seats)):
            if not seat.alive:
                continue
            if seat.cut_until is not None:
                self.connect(seat)
            before = self.counts[kind]
            self._strike(kind, seat)
            if self.counts[kind] > before:
                return

    def _mend(self, now: float) -> None:
        """Networks come back, PCs are started again, and the elder of two PCs is turned off."""
        for seat in self.seats:
            if seat.cut_until is not None and now > seat.cut_until:
                self.connect(seat)
            if not seat.alive and now > seat.may_boot_at:
                self._see_end_of(seat)
                self.boot(seat)
        for rival in list(self._rivals):
            if now > rival[0] and rival[1].process is not None:
                rival[1].process.end()
                self._rivals.remove(rival)

    def _see_end_of(self, seat: Seat) -> None:
        status = seat.process.status if seat.process else None
        if status == REFUSED_TO_OPEN:
            self.counts["stations that would not open yet"] += 1
        elif status == -signal.SIGTERM:
            self.counts["stations ended while they started"] += 1
        elif status is not None and status != -signal.SIGKILL:
            self.died.append(f"{seat.station} ended by itself with {status}")

    def drain(self) -> None:
        """Ends the stations: the network is good, no new boards are begun, and each tells what it has not told yet.

        What is left is named in `left.json`.
        """
        every = [*self.seats, *self.retired]
        for seat in self.seats:
            self.connect(seat)
        for seat in every:
            seat.ending = True
            if seat.process is not None:
                seat.process.end()
        deadline = time.monotonic() + self.plan.drain
        while time.monotonic() < deadline and sum(not self._has_ended(seat) for seat in every):
            time.sleep(LOOKED_EVERY)
        for seat in every:
            if seat.alive:
                self.counts["stations that would not end"] += 1
                self._kill(seat)
            self._keep(seat, seat.state, lost=False)
        left = {"files": self.files, "disasters": self.disasters}
        (self.folder / "left.json").write_text(json.dumps(left), encoding="utf-8")

    def _has_ended(self, seat: Seat) -> bool:
        """Whether the station has told everything. One that was dead, or could not open its ledger, is started for that."""
        if seat.alive or seat.process is None:
            return False
        if seat.process.status == 0:
            return True
        if time.monotonic() > seat.may_boot_at:
            self._see_end_of(seat)
            self.boot(seat)
        return False

    # The disasters.

    def _strike(self, kind: Disaster, seat: Seat) -> None:
        """If this can befall the station now."""
        if kind in MODES:
            if seat.cut_until is None:
                self.cut(seat, kind, self._chance.choice([2, 5, 15, 40]))
        elif kind is Disaster.KILLED:
            self._kill(seat)
            self.counts[kind] += 1
            if self._chance.random() < 0.3:
                self._copy(seat)
            self.boot(seat)
        elif kind is Disaster.TWO_PCS:
            self._two_pcs(seat)
        elif kind is Disaster.DISK_LOST:
            self.lose_disk(seat)
        elif kind is Disaster.SNAPSHOT:
            self._set_back(seat)
        else:
            if seat.backup is None:
                seat = next((each for each in self.seats if each.backup is not None), seat)
            if seat.backup is not None:
                self._put_back(seat, seat.backup, kind)

    def cut(self, seat: Seat, kind: Disaster, seconds: float) -> None:
        """The station's network is in trouble for so many seconds."""
        self.control.become(seat.station, MODES[kind])
        seat.cut_until = time.monotonic() + min(seconds, self.plan.seconds * 0.2)
        self.counts[kind] += 1

    def connect(self, seat: Seat) -> None:
        """The station's network is good."""
        self.control.become(seat.station, Mode.OK)
        seat.cut_until = None

    def _cut_all(self) -> None:
        for seat in self.seats:
            self.control.become(seat.station, Mode.REFUSE)
            seat.cut_until = time.monotonic() + self.plan.seconds * CUT_FOR
        self.counts[Disaster.ALL_CUT] += 1

    def _crash(self) -> None:
        self.server.crash()
        time.sleep(min(DOWN_FOR, self.plan.seconds * 0.1))
        self.server.start()
        people.open_centre(self.server.dsn(self.database))
        self.counts[Disaster.CENTRE_CRASHED] += 1

    def _copy_some(self) -> None:
        """Good backups: taken while the station stands still, so that only their age is the trouble."""
        for seat in self._chance.sample(self.seats, max(2, len(self.seats) // 10)):
            end = time.monotonic() + SEEN_WITHIN
            while not (seat.state / LEDGER).exists() and time.monotonic() < end:
                time.sleep(LOOKED_EVERY)
            self._kill(seat)
            self._copy(seat)
            self.boot(seat)

    def _copy(self, seat: Seat) -> None:
        if not (seat.state / LEDGER).exists():
            return
        backup = self.folder / "backups" / seat.folder.name
        shutil.rmtree(backup, ignore_errors=True)
        shutil.copytree(seat.state, backup / "state")
        shutil.copytree(seat.machine, backup / "machine")
        seat.backup = backup

    def _set_back(self, seat: Seat) -> None:
        """The whole machine is set back, once the centre knows of something that the station's file will not know.

        Before that nobody could see it: what was on the machine alone is gone without a trace. Nothing happens to a station that
        begins a new incarnation meanwhile, since it would come back as another PC.
        """
        if seat.cut_until is not None or not (seat.state / LEDGER).exists():
            return
        self._kill(seat)
        self._copy(seat)
        self.boot(seat)
        end = time.monotonic() + SEEN_WITHIN
        assert seat.backup is not None
        with closing(sqlite3.connect(seat.backup / "state" / LEDGER)) as connection:
            query = "SELECT incarnation, max(number) FROM chain WHERE incarnation > 0 GROUP BY incarnation ORDER BY incarnation DESC LIMIT 1"
            known = connection.execute(query).fetchone()
        while known is not None and time.monotonic() < end:
            incarnation, lines = people.told_by(self.server.dsn(self.database), seat.station)
            if incarnation > known[0]:
                return
            if incarnation == known[0] and lines > known[1]:
                self._put_back(seat, seat.backup, Disaster.SNAPSHOT)
                return
            time.sleep(LOOKED_EVERY)

    def _put_back(self, seat: Seat, backup: Path, kind: Disaster) -> None:
        """An older ledger takes the present one's place: as a copy, or in its very file with the whole machine."""
        self._kill(seat)
        self._bury(seat, kind)
        saved = backup / "state"
        if kind is Disaster.SNAPSHOT:
            with (seat.state / LEDGER).open("r+b") as file:
                file.truncate()
                file.write((saved / LEDGER).read_bytes())
            shutil.rmtree(seat.machine)
            shutil.copytree(backup / "machine", seat.machine)
            seat.is_set_back = True
        else:
            (seat.state / LEDGER).unlink()
            shutil.copy(saved / LEDGER, seat.state)
        for companion in (f"{LEDGER}-wal", f"{LEDGER}-shm"):
            (seat.state / companion).unlink(missing_ok=True)
            if (saved / companion).exists():
                shutil.copy(saved / companion, seat.state)
        self.boot(seat)

    def lose_disk(self, seat: Seat) -> None:
        """The PC's disk is dead, and a new one takes its place."""
        self._kill(seat)
        self._bury(seat, Disaster.DISK_LOST)
        shutil.rmtree(seat.state)
        shutil.rmtree(seat.machine)
        seat.backup = None
        self.boot(seat)

    def _two_pcs(self, seat: Seat) -> None:
        """Another PC starts under the station's name. The elder one goes on for some time."""
        if seat.cut_until is not None or not seat.alive:
            return
        self.retired.append(seat)
        self._rivals.append(
            (time.monotonic() + self._chance.uniform(0.2, 1) * min(RIVAL_FOR, self.plan.seconds * 0.2), seat)
        )
        younger = Seat(
            seat.station, self.folder / f"{seat.station}-{len(self.retired)}", seat.clock_wrong_by, seat.life
        )
        self.seats[self.seats.index(seat)] = younger
        self.counts[Disaster.TWO_PCS] += 1
        self.boot(younger)

    # Means.

    def kill_all(self) -> None:
        for seat in [*self.seats, *self.retired]:
            self._kill(seat)

    def boot(self, seat: Seat) -> None:
        """Starts the station's process."""
        seat.life += 1
        seat.state.mkdir(parents=True, exist_ok=True)
        seat.machine.mkdir(exist_ok=True)
        life = Life(
            seat.station,
            seat.life,
            seat.folder,
            self.folder / "world.sock",
            self.dsn_of(seat.station),
            seat.clock_wrong_by,
            self._chance.random(),
            offline_start=not seat.is_set_back,
            ending=seat.ending,
        )
        seat.process = Process.forked(lambda: self.run_station(self.plan, life), self.folder / "errors.txt")
        seat.may_boot_at = time.monotonic() + 1.0

    def _kill(self, seat: Seat) -> None:
        if seat.process is not None:
            seat.process.kill()

    def _bury(self, seat: Seat, kind: Disaster) -> None:
        """Keeps the file for the referee as it was when it was lost."""
        self.counts[kind] += 1
        self._graves += 1
        grave = self.folder / "graves" / f"{seat.station}-{self._graves}"
        shutil.copytree(seat.state, grave)
        self.disasters.append({"station": seat.station, "kind": kind.value, "life": seat.life})
        self._keep(seat, grave, lost=True)

    def _keep(self, seat: Seat, state: Path, *, lost: bool) -> None:
        if (state / LEDGER).exists():
            path = (state / LEDGER).relative_to(self.folder)
            self.files.append({"station": seat.station, "path": str(path), "lost": lost, "life": seat.life})


def missed(counts: Counter[str]) -> list[str]:
    """The kinds of disaster that have not come."""
    return [kind.value for kind in Disaster if not counts[kind]]
