# SPDX-License-Identifier: Apache-2.0
"""The equipment that all slots of a line share, and one slot's bench while a board is in it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from station.adapters.board import conversation, st_monitor, tty
from station.adapters.board.conversation import Deadlines
from station.adapters.ledger import Ledger
from station.adapters.partner.script import PartnerScript
from station.adapters.programmer.driver import CubeProgrammer
from station.adapters.programmer.run import Deadlines as ProgrammerDeadlines
from station.adapters.programmer.run import Installation
from station.adapters.system import version
from station.adapters.system.transcripts import Transcripts
from station.config.sections import BoardSection
from station.domain.product import KeyStorage
from station.interfaces import AttemptJournal, Board, BoardArrived, Partner, Programmer, SecretSource
from station.line.visits import Visit
from station.line.wall_clock import WallClock
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe
from station.replay.recorder import RecordedPartner, Recorder
from station.replay.tape import Tape


@dataclass(frozen=True, slots=True)
class Equipment:
    """The equipment that all slots of a line share. It gives each attempt its journal and its bench.

    Each attempt has the deadlines that are in force when it begins.
    """

    recipe: Recipe | Laboratory
    ledger: Ledger
    secrets: SecretSource
    clock: WallClock
    installation: Installation
    transcripts: Transcripts
    board: Callable[[], BoardSection]
    deadlines: Callable[[], ProgrammerDeadlines]
    quarantine_after: Callable[[], int] = lambda: 0
    recorder: Recorder | None = None

    async def begin(self, slot: str, board: BoardArrived) -> AttemptJournal:
        """Begins an attempt in the ledger, for the board in this slot."""
        journal = await self.ledger.attempt(
            slot=slot,
            probe=board.probe,
            tty=board.tty,
            recipe=self.recipe,
            secrets=self.secrets,
            quarantine_after=self.quarantine_after(),
            accepted=self.clock.entered(),
        )
        if self.recorder is None or not isinstance(self.recipe, Recipe):
            return journal
        return self.recorder.journal(journal, self._tape(journal.number, self.recipe, slot, board))

    def bench(self, slot: str, visit: Visit, attempt: int) -> "SlotBench":
        """Programmer and serial port for one attempt in this slot; their output goes to the attempt's transcript."""
        record = self.transcripts.recorder(attempt)
        installation = replace(self.installation, deadlines=self.deadlines())
        tape = None if self.recorder is None else self.recorder.tape(attempt)
        if tape is not None:
            tape.head["at_relay"] = None if visit.at_relay is None else str(visit.at_relay)
        programmer = CubeProgrammer(installation, visit.arrival.probe, visit.gone, record, tape)
        return SlotBench(programmer, slot, visit.arrival.tty, self.board(), visit.gone, record, tape)

    def _tape(self, number: int, recipe: Recipe, slot: str, board: BoardArrived) -> Tape:
        """The beginning of an attempt's recording: board, recipe, station, and the deadlines in force."""
        running, deadlines, section = version.running(), self.deadlines(), self.board()
        head = {
            "slot": slot,
            "probe": board.probe,
            "tty": board.tty,
            "station_version": running.number,
            "station_commit": running.commit,
            "recipe": recipe.name,
            "recipe_sha256": recipe.sha256,
            "release": recipe.release,
            "began": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "programmer": asdict(deadlines),
            "board": section.model_dump(),
        }
        return Tape(number, head, recipe)


@dataclass(frozen=True, slots=True)
class SlotBench:
    """`gone` is set when the board was pulled; `record` takes the output of programmer and partner."""

    programmer: Programmer
    slot: str
    tty: str
    section: BoardSection
    gone: asyncio.Event
    record: Callable[[str], None]
    tape: Tape | None = None

    def board(self) -> AbstractAsyncContextManager[Board]:
        section = self.section
        deadlines = Deadlines(section.boot_within, section.reply_within, section.repeat_every, section.port_free_within)
        return conversation.connected(self.tty, section.baudrate, deadlines, self.tape)

    @asynccontextmanager
    async def partner(self, recipe: Recipe) -> AsyncIterator[Partner]:
        """The recipe's partner for the block; raises `ValueError` if the recipe has none."""
        async with self._partner(recipe) as partner:
            yield partner if self.tape is None else RecordedPartner(partner, self.tape)

    @asynccontextmanager
    async def _partner(self, recipe: Recipe) -> AsyncIterator[Partner]:
        delivery = recipe.delivery
        if delivery is None:
            raise ValueError("the recipe has no partner")
        if delivery.script is None:
            section = self.section
            async with st_monitor.connected(
                self.tty, section.baudrate, delivery.within, section.port_free_within
            ) as monitor:
                yield monitor
            return
        async with tty.opened(self.tty, self.section.baudrate, self.section.port_free_within):
            pass  # wait until no other program holds the port: the script opens it itself and would not wait
        yield PartnerScript(
            script=delivery.script,
            production=recipe.key_storage is KeyStorage.SECURE,
            header=f"{self.slot}> ",
            tty=self.tty,
            within=delivery.within,
            gone=self.gone,
            record=self.record,
        )
