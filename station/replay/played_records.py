# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for PKI, MES and ledger, which answer from a recording."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

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
from station.replay.entries import EntryInvalid, event_of, identity_of, past_of
from station.replay.player import Player, StoppedByLine
from station.replay.stand_ins import credentials_of


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
