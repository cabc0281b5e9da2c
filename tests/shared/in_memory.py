# SPDX-License-Identifier: Apache-2.0
"""A centre and a station's ledger in memory, for tests of what passes between them. Answers are lost on demand."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from typing import TypeVar

from station.adapters.centre.trouble import CentreRefused, CentreUnreachable
from station.adapters.ledger.leases import Leases
from station.adapters.ledger.shared import Stopped
from station.adapters.ledger.shared_state import Standing
from station.domain.shared import (
    GRID,
    Claim,
    Cursor,
    Enrolment,
    Grant,
    Line,
    Refusal,
    Request,
    Word,
)
from station.domain.target import UID

T = TypeVar("T")

GENESIS = bytes(32)


class Lost:
    """The centre does what it is asked, and its answer is lost."""


class Away:
    """The centre is not reached."""


Mishap = Lost | Away | CentreRefused


@dataclass
class Incarnation:
    ledger: str
    begun_from: bytes
    closed: bool = False
    lines: list[Line] = field(default_factory=list)

    @property
    def head(self) -> bytes:
        return self.lines[-1].hash if self.lines else self.begun_from


@dataclass
class MemoryCentre:
    """What the next calls meet stands in `mishaps`; afterwards `always`, if there is one."""

    incarnations: dict[int, Incarnation] = field(default_factory=dict)
    blocks: dict[str, Sequence[int]] = field(default_factory=dict)
    mishaps: list[Mishap | None] = field(default_factory=list)
    always: Mishap | None = None
    calls: list[str] = field(default_factory=list)
    tick: int = 0
    closed: bool = False

    async def enrol(self, ledger: str, place: str, head: bytes, incarnation: int | None = None) -> Enrolment:  # noqa: ARG002
        lost = self._meets("enrol")
        if incarnation is not None:
            self.incarnations[incarnation] = Incarnation(
                ledger, head, closed=incarnation < max(self.incarnations, default=0)
            )
        for number, known in self.incarnations.items():
            if known.ledger == ledger:
                return self._answer(lost, Enrolment(7, number))
        for known in self.incarnations.values():
            known.closed = True
        number = max(self.incarnations, default=0) + 1
        self.incarnations[number] = Incarnation(ledger, head)
        return self._answer(lost, Enrolment(7, number))

    async def hello(self, incarnation: int, next_line: int, tick: int, fleet_check: str) -> Word:  # noqa: ARG002
        lost = self._meets("hello")
        known = self.incarnations.get(incarnation)
        if known is None:
            return self._answer(lost, Word.UNKNOWN)
        if known.closed:
            return self._answer(lost, Word.CLOSED)
        return self._answer(lost, Word.ROLLED_BACK if len(known.lines) >= next_line else Word.OK)

    async def push(self, incarnation: int, first: int, previous: bytes, lines: Sequence[Line]) -> Cursor:
        lost = self._meets("push")
        known = self.incarnations[incarnation]
        if lines and first == len(known.lines) + 1 and (previous == known.head or first == 1):
            if first == 1:
                known.begun_from = previous
            known.lines += lines
        return self._answer(lost, Cursor(len(known.lines) + 1, known.head, known.closed))

    async def grant(self, incarnation: int, request: Request) -> Grant:
        lost = self._meets("grant")
        if self.incarnations[incarnation].closed:
            raise CentreRefused(Refusal.CLOSED, "closed")
        if request.number not in self.blocks:
            begun = sum(len(each) for each in self.blocks.values())
            self.blocks[request.number] = range(begun, begun + request.blocks)
            self.tick += 1
        return self._answer(
            lost, Grant(self.blocks[request.number], request.hashes, self.tick, 0, 10**6, "SN{number:08d}")
        )

    async def enter(self, incarnation: int, uids: Collection[UID]) -> frozenset[UID]:  # noqa: ARG002
        return frozenset()  # what is not new is claimed

    async def claim(self, incarnation: int, uid: UID) -> Claim:  # noqa: ARG002
        lost = self._meets("claim")
        return self._answer(lost, Claim(uid, 1, None, was_ours=False))

    async def give_back(self, incarnation: int, lot: str, numbers: Sequence[int]) -> None:  # noqa: ARG002
        raise AssertionError("the journal tells it")

    async def close(self) -> None:
        self.closed = True

    def _meets(self, call: str) -> bool:
        self.calls.append(call)
        match self.mishaps.pop(0) if self.mishaps else self.always:
            case Lost():
                return True
            case Away():
                raise CentreUnreachable("nobody answers")
            case CentreRefused() as refused:
                raise refused
        return False

    @staticmethod
    def _answer(lost: bool, answer: T) -> T:  # noqa: FBT001
        if lost:
            raise CentreUnreachable("the answer is lost")
        return answer


class MemoryLedger:
    """A station's ledger, of which both the reader's and the writer's side are here."""

    def __init__(self) -> None:
        self.state = Standing(
            station=0,
            incarnation=0,
            ledger="",
            next_ledger=None,
            place="",
            joined=0,
            lines=0,
            head=GENESIS,
            acked=0,
            tick=0,
            fleet_check="00" * 8,
            stopped=None,
            moved=False,
        )
        self.lines: list[Line] = []
        self.begun_from = GENESIS
        self.request: Request | None = None
        self.making: str | None = "lamp"
        self.blocks: dict[tuple[str, str], list[int]] = {}
        self.used = 0
        self.busiest = 0
        self.checkpoints: list[tuple[int, bytes, bytes]] = []
        self._names = (f"{number:032x}" for number in count(1))

    def tell(self, text: str, times: int = 1) -> None:
        for _ in range(times):
            hashed = hashlib.sha256(self.state.head + text.encode()).digest()
            self.lines.append(Line(self.state.lines + 1, text.encode(), hashed))
            self.state = replace(self.state, lines=self.state.lines + 1, head=hashed)

    # --- reads ----------------------------------------------------------------------------------------------------------

    def standing(self) -> Standing:
        return self.state

    def unsent(self, after: int, most: int) -> Sequence[Line]:
        return self.lines[after : after + most]

    def hash_at(self, number: int) -> bytes | None:
        if number == 0:
            return self.begun_from
        return self.lines[number - 1].hash if number <= len(self.lines) else None

    def lot(self) -> str | None:
        return self.making

    def leases(self, lot: str, release: str) -> Leases:
        numbers = GRID * len(self.blocks.get((lot, release), [])) - self.used
        return Leases(numbers, numbers)

    def busiest_hour(self, now: datetime) -> int:  # noqa: ARG002
        return self.busiest

    def open_request(self) -> Request | None:
        return self.request

    # --- writes ---------------------------------------------------------------------------------------------------------

    async def begin_enrolment(self, place: str) -> tuple[str, bytes]:
        name = self.state.next_ledger or next(self._names)
        self.state = replace(self.state, next_ledger=name, place=place)
        return name, self.state.head

    async def enrolled(self, enrolment: Enrolment, ledger: str) -> None:
        self.lines.clear()
        self.blocks.clear()
        self.request, self.begun_from = None, self.state.head
        self.state = replace(
            self.state,
            station=enrolment.station,
            incarnation=enrolment.incarnation,
            ledger=ledger,
            next_ledger=None,
            lines=0,
            acked=0,
            stopped=None,
            moved=False,
        )
        self.tell("IncarnationBegun")

    async def acknowledged(self, number: int) -> None:
        self.state = replace(self.state, acked=max(self.state.acked, number))

    async def stopped(self, why: Stopped) -> None:
        self.state = replace(self.state, stopped=why)

    async def begin_request(self, lot: str, release: str, blocks: int) -> Request:
        self.request = Request(next(self._names), lot, release, blocks, range(blocks * GRID), self.state.tick)
        return self.request

    async def granted(self, request: Request, grant: Grant) -> None:
        mine = self.blocks.setdefault((request.lot, request.release), [])
        mine += [number for number in grant.blocks if number not in mine]
        self.request, self.state = None, replace(self.state, tick=grant.tick)
        self.tell("BlockReceived", len(grant.blocks))

    async def drop_request(self) -> None:
        self.request = None

    async def give_up(self, lot: str | None, release: str) -> Mapping[str, Sequence[int]]:
        given_up: dict[str, list[int]] = {}
        for key in [key for key in self.blocks if key != (lot, release)]:
            given_up.setdefault(key[0], []).extend(self.blocks.pop(key))
        for name, numbers in given_up.items():
            self.tell(f"BlockGivenBack {name}", len(numbers))
        return given_up

    async def checkpoint(self, sign: Callable[[int, bytes], bytes]) -> None:
        self.checkpoints.append((self.state.lines, self.state.head, sign(self.state.lines, self.state.head)))
        self.tell("Checkpoint")

    async def prune(self, keep_days: int) -> int:  # noqa: ARG002
        return 0
