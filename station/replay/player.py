# SPDX-License-Identifier: Apache-2.0
"""Gives a recording's answers, each at its time, to the stand-ins of today's code."""

import asyncio
from datetime import UTC, datetime
from typing import NoReturn

from station.domain.attempt import (
    Event,
)
from station.domain.identity import Identity
from station.recipe.recipe import Recipe
from station.replay.entries import fault_of
from station.replay.recording import Recording, moment

LONGEST_SHOWN = 300  # characters of a question that was put otherwise


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


class StoppedByLine(Exception):
    """The line ended the attempt, for a reason outside of the procedure: a unit in two slots, or samples that are due."""

    def __init__(self, verdict: Event) -> None:
        super().__init__(verdict.on_disk.name)
        self.verdict = verdict
