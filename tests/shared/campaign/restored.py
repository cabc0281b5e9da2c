# SPDX-License-Identifier: Apache-2.0
"""The centre is set back while its stations work: by a dump, by a recovery, by raw files.

`python -m tests.shared.campaign.restored` tells what each gives before and after a person accepts it.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

import psycopg

from tests.builders.postgresql import Server
from tests.shared.campaign import people
from tests.shared.campaign.campaign import Campaign, memory, server_for
from tests.shared.campaign.chaos import Chaos, Disaster
from tests.shared.campaign.plan import Plan
from tests.shared.campaign.report import Outcome

PLAN = Plan(stations=3, slots=4, seconds=1.0, seed=1, cycle=2.0, rate=0, pair_space=100_000)
WITHIN = 120.0  # seconds, on a slow machine
ASKED_FOR = 6.0  # seconds in which the stations ask a centre that was set back


class How(StrEnum):
    DUMP = "a dump, loaded into another server"
    RECOVERY = "a recovery, on a new timeline"
    RAW_FILES = "raw files, on the same timeline"


@dataclass
class Restoration:
    """A campaign's course. A station gets blocks that the restored centre knows nothing of, and another one asks for blocks."""

    how: How
    stack: ExitStack
    forgotten: list[int] = field(default_factory=list)
    """The blocks that were given after the backup."""
    before: list[int] = field(default_factory=list)
    """The blocks that the restored centre has given before a person accepted it."""
    after: list[int] = field(default_factory=list)
    reason: str = ""

    def run(self, chaos: Chaos) -> None:
        first, second, third = chaos.seats
        for seat in chaos.seats:
            chaos.boot(seat)
        self._until(chaos, lambda: len(self._blocks(chaos)) >= 12 and self._passed(chaos) >= 6)
        go_back = self._backed_up(chaos)
        at_backup = self._blocks(chaos)

        chaos.cut(third, Disaster.REFUSED, WITHIN)  # it is away from now on, and has seen no later tick
        chaos.lose_disk(first)
        self._until(chaos, lambda: self._blocks(chaos) > at_backup)
        self.forgotten = sorted(self._blocks(chaos) - at_backup)

        chaos.cut(first, Disaster.REFUSED, WITHIN)
        chaos.cut(second, Disaster.REFUSED, WITHIN)
        go_back()
        there = self._blocks(chaos)
        chaos.lose_disk(third)  # a stranger asks first
        chaos.connect(third)
        time.sleep(ASKED_FOR / 2)
        chaos.connect(first)
        chaos.connect(second)
        time.sleep(ASKED_FOR)
        self.before = sorted(self._blocks(chaos) - there - set(self.forgotten))
        self.reason = self._refusal(chaos)

        people.accept_restore(chaos.server.dsn(chaos.database), skip=64)
        self._until(chaos, lambda: max(self._blocks(chaos)) > 64)
        self.after = sorted(self._blocks(chaos) - there - set(self.forgotten))
        time.sleep(ASKED_FOR)
        chaos.drain()

    def _backed_up(self, chaos: Chaos) -> Callable[[], None]:
        """Makes the backup. Returns what goes back to it."""
        if self.how is How.DUMP:
            dump = chaos.server.dump(chaos.database)

            def elsewhere() -> None:
                other = self.stack.enter_context(Server(own_system=True))
                assert other.load(dump) == chaos.database
                chaos.server.stop()
                chaos.server = chaos.control.server = other

            return elsewhere
        copy = chaos.server.copy_files()
        people.open_centre(chaos.server.dsn(chaos.database))
        restore = chaos.server.recover if self.how is How.RECOVERY else chaos.server.put_back
        return lambda: restore(copy)

    def _blocks(self, chaos: Chaos) -> set[int]:
        return {number for (number,) in self._rows(chaos, "SELECT number FROM block")}

    def _passed(self, chaos: Chaos) -> int:
        return len(self._rows(chaos, "SELECT 1 FROM unit WHERE rank = 4"))

    def _refusal(self, chaos: Chaos) -> str:
        ask = "SELECT c.frozen, c.system_id <> s.system_id, c.timeline, s.timeline FROM central c, server s"
        ((frozen, other, known, timeline),) = self._rows(chaos, ask)
        if frozen:
            return str(frozen)
        return "another server" if other else f"timeline {timeline}, and not {known}"

    def _rows(self, chaos: Chaos, query: str) -> list[tuple]:  # type: ignore[type-arg]  # rows of any query
        with psycopg.connect(chaos.server.dsn(chaos.database)) as connection:
            return connection.execute(query.encode()).fetchall()

    def _until(self, chaos: Chaos, done: Callable[[], bool]) -> None:
        end = time.monotonic() + WITHIN
        while not done():
            if time.monotonic() > end:
                raise TimeoutError(f"{chaos.folder / 'errors.txt'} may have the reason")
            time.sleep(0.1)


def restored(how: How, folder: Path) -> tuple[Restoration, Outcome]:
    """Runs one restoration to its end, in an empty folder."""
    with ExitStack() as stack:
        server = stack.enter_context(server_for(PLAN))
        restoration = Restoration(how, stack)
        outcome = Campaign.prepared(PLAN, folder, server).run(restoration.run)
        return restoration, replace(outcome, missed=())  # no other disaster is to come


def main() -> int:
    bad = 0
    for how in How:
        with tempfile.TemporaryDirectory(prefix="restored-", dir=memory()) as folder:
            restoration, outcome = restored(how, Path(folder))
        bad += bool(outcome.violations or outcome.died or restoration.before)
        sys.stdout.write(
            f"=== {how.value}: {restoration.reason}\n"
            f"forgotten {restoration.forgotten}, given before accept-restore {restoration.before}, after {restoration.after}\n"
            f"{outcome.text}\n"
        )
    return bad


if __name__ == "__main__":
    sys.exit(main())
