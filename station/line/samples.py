# SPDX-License-Identifier: Apache-2.0
"""The line's samples: while they are due, no other board begins; once all have ended as expected, the line opens again."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol

import structlog

from station.domain.samples import (
    Circumstances,
    Expected,
    Rules,
    SampleChecked,
    SampleEvent,
    SamplesDue,
    SamplesMet,
    due_by_time,
)
from station.domain.target import UID, Target
from station.faults.line import SamplesAreDue
from station.interfaces import RecordedRecipe

log = structlog.get_logger()


class Known(Protocol):
    """What the ledger knows of the samples."""

    @property
    def known(self) -> Mapping[UID, Expected]: ...
    @property
    def good(self) -> frozenset[UID]: ...
    @property
    def met(self) -> tuple[datetime, Circumstances] | None: ...
    @property
    def due(self) -> str | None: ...


class Journal(Protocol):
    """The samples in the ledger."""

    async def state(self) -> Known: ...
    async def first_probes(self, since: datetime) -> Mapping[str, str]: ...
    async def record(self, event: SampleEvent, uid: UID | None = None) -> None: ...


class Samples:
    """Everything is in the ledger; the probes of slots that are first used are remembered here, too."""

    def __init__(
        self, journal: Journal, recipe: RecordedRecipe, rules: Callable[[], Rules], met: Callable[[], None]
    ) -> None:
        """`met` is told when the line opens again."""
        self._journal = journal
        self._recipe = recipe
        self._rules = rules
        self._met = met
        self._programmer: str | None = None
        self._probes: dict[str, str] | None = None  # until the first board

    async def admit(self, target: Target, slot: str, probe: str) -> Expected | None:
        """What is expected of the board, if it is a sample. Raises `SamplesAreDue` for any other board while samples are due."""
        state = await self._journal.state()
        if not state.known:
            return None
        why = await self._why(state, target, slot, probe)
        expected = state.known.get(target.uid)
        if expected is None and why is not None:
            raise SamplesAreDue(why, f"{len(state.good)} of {len(state.known)}")
        return expected

    async def judged(self, uid: UID, expected: Expected, attempt: int, verdict: str, fault: str | None) -> None:
        """Takes the verdict of a sample. One that was not judged says nothing."""
        if verdict not in {"pass", "fail"}:
            return
        good = expected.is_met(verdict, fault)
        await self._journal.record(SampleChecked(attempt, verdict, fault, good), uid)
        wanted = expected.fault or expected.verdict
        write = log.info if good else log.error
        write("sample.checked", uid=str(uid), attempt=attempt, verdict=verdict, fault=fault, expected=wanted)
        state = await self._journal.state()
        if not good and state.due is None:
            await self._due(f"the sample {uid} ended by {fault or verdict}")
        elif good and state.due is not None and state.good == state.known.keys() and self._programmer is not None:
            line = self._circumstances(self._programmer)
            await self._journal.record(SamplesMet(line.recipe, sorted(line.images), line.programmer, dict(line.probes)))
            log.info("samples.met", samples=len(state.known))
            self._met()

    async def _why(self, state: Known, target: Target, slot: str, probe: str) -> str | None:
        """The reason for which samples are due, which is journalled once."""
        if self._probes is None:
            at, proven = state.met or (None, None)
            since = await self._journal.first_probes(at) if at else {}
            self._probes = {**since, **(proven.probes if proven else {})}
        self._programmer = target.programmer_version
        changed = self._rules().probes and self._probes.get(slot, probe) != probe
        self._probes[slot] = probe
        if state.due is not None:
            return state.due
        if state.met is None:
            return await self._due("they have not been met yet")
        if changed:
            return await self._due(f"slot {slot} has another probe, {probe}")
        now = self._circumstances(target.programmer_version)
        why = state.met[1].change_to(now) or due_by_time(self._rules(), state.met[0], datetime.now(UTC))
        return None if why is None else await self._due(why)

    async def _due(self, why: str) -> str:
        await self._journal.record(SamplesDue(why))
        log.warning("samples.due", reason=why)
        return why

    def _circumstances(self, programmer: str) -> Circumstances:
        images = frozenset(image.sha256 for image in self._recipe.images)
        return Circumstances(
            self._recipe.sha256, images, programmer, dict(self._probes or {}) if self._rules().probes else {}
        )
