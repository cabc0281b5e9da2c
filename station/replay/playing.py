# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for programmer, board, PKI, MES and journal, which answer from a recording, each at its time.

The programmer's text and the port's bytes go through the parsers of today.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from station.adapters.board import tty
from station.adapters.board.conversation import Deadlines, SerialBoard
from station.adapters.programmer.driver import CubeProgrammer
from station.adapters.programmer.run import Installation, Process
from station.domain import transitions
from station.domain.attempt import (
    Attempt,
    Event,
    Phase,
    Record,
    RouteChecked,
    StepFinished,
    StepStarted,
    UnitIdentified,
)
from station.domain.credentials import Credentials
from station.domain.identity import Draft, Identity
from station.domain.past import Past
from station.domain.target import UID, Target
from station.factory_data.flash import ERASED
from station.faults.slot import TTYLost
from station.interfaces import Board, Partner
from station.recipe.recipe import Recipe
from station.replay import harmless
from station.replay.entries import EntryInvalid, event_of, fault_of, identity_of, past_of
from station.replay.recording import Port, Recording, Run, moment
from station.replay.stand_ins import content_of, credentials_of

Entry = Mapping[str, object]
LONGEST_SHOWN = 300  # characters of a question that was put otherwise

LARGEST_READ = 16 << 20  # bytes


class Unanswered(Exception):
    """The code of today asks what the recording does not answer."""


async def for_ever() -> NoReturn:
    """Waits until the caller is cancelled."""
    while True:
        await asyncio.get_running_loop().create_future()


class Player:
    """Gives the recording's answers in their order. `asked_otherwise` are the questions that are not put as they were."""

    def __init__(self, recording: Recording, recipe: Recipe) -> None:
        self.recording = recording
        self.recipe = recipe
        self.asked_otherwise: list[str] = []
        self.identity: Identity | None = None
        self.nonces = iter(recording.nonces)
        self._began = asyncio.get_running_loop().time()

    async def until(self, at: float) -> None:
        """Waits for a moment of the recording; not at all where it is over."""
        await asyncio.sleep(max(0.0, self._began + at - asyncio.get_running_loop().time()))

    def now(self) -> datetime:
        began = datetime.fromisoformat(str(self.recording.head.get("began", "1970-01-01T00:00:00+00:00")))
        seconds = asyncio.get_running_loop().time() - self._began
        return datetime.fromtimestamp(began.timestamp() + seconds, UTC)

    def nonce(self) -> bytes:
        nonce = next(self.nonces, None)
        if nonce is not None:
            return nonce
        self.check_not_cancelled()
        raise Unanswered("a nonce to be signed")

    def check_not_cancelled(self) -> None:
        """Raises `StoppedByLine` if the attempt was cancelled: today's code has come to where the recorded one was stopped.

        A recording has no times of the ledger's commits, so today's code may be some milliseconds ahead of it.
        """
        if self.recording.cancelled is not None and self.recording.verdict is not None:
            raise StoppedByLine(self.recording.verdict)

    async def answer(self, question: str) -> object:
        """The next answer to this question; raises the fault that it was."""
        answers = self.recording.answers[question]
        if not answers:
            await self.unanswered(question)
        entry = answers.popleft()
        await self.until(moment(entry["at"]))
        if "fault" in entry:
            raise fault_of(entry)
        return entry["answer"]

    async def unanswered(self, question: str) -> NoReturn:
        """Raises `Unanswered`; an attempt that was cancelled waits for that instead, since no answer came before it."""
        if self.recording.cancelled is not None:
            await for_ever()
        raise Unanswered(question)

    def differs(self, what: str, recorded: str, today: str) -> None:
        then, now = (text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…" for text in (recorded, today))
        self.asked_otherwise.append(f"{what}: recorded {then}, today {now}")

    @asynccontextmanager
    async def start(self, command: Sequence[str], **_: object) -> AsyncIterator[Process]:
        """The programmer's next run (`adapters.programmer.run.Start`)."""
        asked = [harmless.argument(each) for each in command]
        if not self.recording.runs:
            await self.unanswered(f"a run of the programmer: {' '.join(asked[1:])}")
        run = self.recording.runs.popleft()
        recorded = run.entry["command"]
        assert isinstance(recorded, list)
        if recorded[1:] != asked[1:]:
            self.differs("the programmer's arguments", " ".join(recorded[1:]), " ".join(asked[1:]))
        await self.until(moment(run.entry["at"]))
        refused = run.entry.get("refused")
        if isinstance(refused, Mapping):
            if "fault" in refused:
                raise fault_of(refused)
            raise OSError(refused["errno"], "as recorded")
        self._write_reads(run, command)
        yield PlayedProcess(run.entry)

    def _write_reads(self, run: Run, command: Sequence[str]) -> None:
        """Makes the files into which the run read the board's memory."""
        asked = [(int(command[at + 1], 16), Path(command[at + 3])) for at, each in enumerate(command) if each == "-u"]
        for read in run.reads:
            content, size, address = read["content"], read["size"], read["address"]
            place = next((place for place in asked if place[0] == address), None)
            if place is None or not isinstance(content, Mapping) or not isinstance(size, int):
                continue
            if not 0 <= size <= LARGEST_READ:
                raise EntryInvalid(f"a read-back of {size} bytes")
            asked.remove(place)  # the same region may be read again, after a write
            if content == {"form": "written"}:
                place[1].write_bytes(_as_written(command, place[0], size))
            else:
                place[1].write_bytes(content_of(content, size, self.recipe, self.identity))


def _as_written(command: Sequence[str], address: int, size: int) -> bytes:
    """The bytes that the run's own files have for this address; of a file that ends there, and blank flash behind it."""
    for at, each in enumerate(command):
        if each == "-d":
            offset, content = address - int(command[at + 2], 16), Path(command[at + 1]).read_bytes()
            if 0 <= offset < len(content):
                return content[offset : offset + size].ljust(size, bytes([ERASED]))
    raise EntryInvalid("a read of memory that no file was written to")


class PlayedProcess:
    """A run's lines at their times, and its end, unless the station stopped it."""

    def __init__(self, entry: Entry) -> None:
        said, status, ended = entry["said"], entry.get("status"), entry.get("ended")
        assert isinstance(said, list)
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._said = [(moment(at), str(line)) for at, line in said]
        self._ended = None if ended is None else moment(ended)
        self.status = status if isinstance(status, int) else None

    async def line(self) -> str | None:
        if self._said:
            await self._until(self._said[0][0])
            return self._said.pop(0)[1]
        if self._ended is None:
            await for_ever()  # until a deadline of the station ends the wait
        return None

    async def ended(self) -> int:
        if self._ended is None or self.status is None:
            await for_ever()
        await self._until(self._ended)
        return self.status

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, self._began + at - self._loop.time()))


class PlayedTTY(tty.TTY):
    """The port's bytes: each piece comes as long after the bytes that went before it as it did, and not before those."""

    def __init__(self, player: Player, port: Port, path: str) -> None:
        self.path = path
        self._player = player
        self._sent = [each for each in port.traffic if each.sent]
        self._is_lost = any(each.data is None for each in port.traffic)
        self._coming = [
            (sum(other.sent for other in port.traffic[:at]), each)
            for at, each in enumerate(port.traffic)
            if not each.sent
        ]
        self._sent_at: list[float] = []

    @property
    def waiting(self) -> int:
        return 0

    def discard(self) -> None:
        """Nothing: a recording has only the bytes that were taken."""

    def send(self, data: bytes) -> None:
        if len(self._sent_at) >= len(self._sent):
            if self._is_lost:  # at any time since the last bytes, as the ledger took its time for a commit
                raise TTYLost(self.path)
            self._player.check_not_cancelled()
            self._player.differs("to the board", "nothing more", data.hex())
        elif (recorded := self._sent[len(self._sent_at)].data) != data:
            self._player.differs("to the board", (recorded or b"").hex(), data.hex())
        self._sent_at.append(asyncio.get_running_loop().time())

    async def receive(self) -> bytes:
        loop = asyncio.get_running_loop()
        if not self._coming or self._coming[0][0] > len(self._sent_at):
            await for_ever()  # the board says nothing before it is asked as it was
        before, piece = self._coming[0]
        if before:
            since = piece.at - self._sent[before - 1].at
            await asyncio.sleep(max(0.0, self._sent_at[before - 1] + since - loop.time()))
        else:
            await self._player.until(piece.at)
        if piece.data is None:
            raise TTYLost(self.path)
        self._coming.pop(0)
        return piece.data


class PlayedBench:
    """One slot's equipment (`interfaces.Bench`)."""

    def __init__(self, player: Player, installation: Installation, board: Deadlines) -> None:
        head = player.recording.head
        self._player = player
        self._tty, self._board = str(head["tty"]), board
        self.programmer = CubeProgrammer(installation, str(head["probe"]), asyncio.Event(), lambda _: None)

    @asynccontextmanager
    async def board(self) -> AsyncIterator[Board]:
        ports = self._player.recording.ports
        if not ports:
            await self._player.unanswered("the board's port")
        port = ports.popleft()
        if "fault" in port.entry:
            await self._player.until(moment(port.entry["at"]))
            raise fault_of(port.entry)
        yield SerialBoard(PlayedTTY(self._player, port, self._tty), self._board)

    @asynccontextmanager
    async def partner(self, recipe: Recipe) -> AsyncIterator[Partner]:
        if recipe.delivery is None:
            raise ValueError("the recipe has no partner")
        yield PlayedPartner(self._player)


class PlayedPartner:
    """`interfaces.Partner`."""

    def __init__(self, player: Player) -> None:
        self._player = player

    async def deliver(self) -> None:
        await self._player.answer("deliver")


class PlayedAuthority:
    """`interfaces.Authority`."""

    def __init__(self, player: Player) -> None:
        self._player = player

    async def check_askable(self, uid: UID) -> None:
        del uid
        await self._player.answer("check_askable")

    async def askable(self, uid: UID) -> None:
        """A board that is judged does not wait for this."""

    async def issue_dac(self, csr: bytes, uid: UID) -> Credentials:
        del uid
        requests = self._player.recording.requests
        if requests and (recorded := requests.popleft()) != csr:
            self._player.differs("to the PKI", recorded.hex(), csr.hex())
        credentials = credentials_of(await self._player.answer("issue_dac"))
        if credentials is None:
            raise EntryInvalid("an answer of the PKI without certificates")
        return credentials


class PlayedRoute:
    """`interfaces.Route`."""

    def __init__(self, player: Player) -> None:
        self._player = player

    async def check(self, uid: UID, serial_number: str | None) -> RouteChecked:
        del uid, serial_number
        answer = await self._player.answer("route")
        event = event_of(answer) if isinstance(answer, Mapping) else None
        if not isinstance(event, RouteChecked):
            raise EntryInvalid("an answer of the MES of another version")
        return event


class PlayedLedger:
    """`interfaces.AttemptLedger`; `way` are the events of today, which must be allowed to follow one another."""

    def __init__(self, player: Player, before: Sequence[Event]) -> None:
        self.attempt = Attempt()
        self.way: list[Event] = []
        self._player = player
        for event in before:
            self._append(event)

    @asynccontextmanager
    async def step(self, phase: Phase, *intents: Record) -> AsyncIterator[None]:
        if steps := self._player.recording.steps:
            await self._player.until(steps.popleft())
        self._append(StepStarted(phase))
        for event in intents:
            self._append(event)
        yield
        self._append(StepFinished(phase, 0))

    async def record(self, event: Record) -> None:
        self._append(event)
        if isinstance(event, UnitIdentified) and (verdict := self._player.recording.stopped_at_identification):
            raise StoppedByLine(verdict)

    def _append(self, event: Event) -> None:
        if len(self.way) >= len(self._player.recording.way) - 1:  # the last is the verdict
            self._player.check_not_cancelled()
        self.attempt = transitions.after(self.attempt, event)
        self.way.append(event)

    async def past_of(self, uid: UID) -> Past:
        del uid
        answer = await self._player.answer("past_of")
        if not isinstance(answer, Mapping):
            raise EntryInvalid("a board's past of another version")
        return past_of(answer)

    async def find_identity(self, uid: UID) -> Identity | None:
        return self._identity(await self._player.answer("find_identity"), uid)

    async def reserve_identity(self, draft: Draft) -> Identity:
        del draft
        return self._new(await self._player.answer("reserve_identity"))

    async def sample_identity(self, draft: Draft) -> Identity:
        del draft
        return self._new(await self._player.answer("sample_identity"))

    async def claim(self, target: Target) -> bool:
        del target
        return bool(await self._player.answer("claim"))

    async def adopt(self, credentials: Credentials, uid: UID) -> None:
        del credentials, uid
        await self._player.answer("adopt")

    def _new(self, answer: object) -> Identity:
        identity = self._identity(answer, self.attempt.uid)
        if identity is None:
            raise EntryInvalid("an identity of another version")
        return identity

    def _identity(self, answer: object, uid: UID | None) -> Identity | None:
        if not isinstance(answer, Mapping) or uid is None:
            return None
        self._player.identity = identity_of(answer, uid, credentials_of(answer["credentials"]))
        return self._player.identity


class StoppedByLine(Exception):
    """The line ended the attempt, for a reason outside of the procedure: a unit in two slots, or samples that are due."""

    def __init__(self, verdict: Event) -> None:
        super().__init__(verdict.on_disk.name)
        self.verdict = verdict
