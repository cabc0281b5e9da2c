# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for programmer, board and partner, which answer from a recording.

The programmer's text and the port's bytes go through the parsers of today.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from station.adapters.board import tty
from station.adapters.board.conversation import Deadlines, SerialBoard
from station.adapters.programmer.driver import CubeProgrammer
from station.adapters.programmer.run import Installation, Process
from station.factory_data.flash import ERASED
from station.faults.slot import TTYLost
from station.interfaces import Board, Partner
from station.recipe.recipe import Recipe
from station.replay import harmless
from station.replay.entries import EntryInvalid, fault_of
from station.replay.player import Player, for_ever
from station.replay.recording import Port, Run, moment
from station.replay.stand_ins import content_of

Entry = Mapping[str, object]
LARGEST_READ = 16 << 20  # bytes


class PlayedProgrammer:
    """Runs of the programmer, in their order."""

    def __init__(self, player: Player) -> None:
        self._player = player

    @asynccontextmanager
    async def start(self, command: Sequence[str], **_: object) -> AsyncIterator[Process]:
        """The programmer's next run (`adapters.programmer.run.Start`)."""
        asked = [harmless.argument(each) for each in command]
        if not self._player.recording.runs:
            await self._player.unanswered(f"a run of the programmer: {' '.join(asked[1:])}")
        run = self._player.recording.runs.popleft()
        recorded = run.entry["command"]
        assert isinstance(recorded, list)
        if recorded[1:] != asked[1:]:
            self._player.differs("the programmer's arguments", " ".join(recorded[1:]), " ".join(asked[1:]))
        await self._player.until(moment(run.entry["at"]))
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
                place[1].write_bytes(content_of(content, size, self._player.recipe, self._player.identity))


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

    def line_at_hand(self) -> str | None:
        return None  # each line has its time

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
