# SPDX-License-Identifier: Apache-2.0
"""The commands of the control socket about samples: golden and known-bad boards."""

from collections.abc import Mapping

import structlog

from station.adapters.ledger import Ledger
from station.daemon import control
from station.daemon.questions import Deciding, parsed
from station.domain.intervention import DecisionRefused
from station.domain.samples import Expected
from station.domain.target import UID
from station.line.line import Line
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe

log = structlog.get_logger()


class _Sample(Deciding):
    uid: str


class _NewSample(_Sample):
    verdict: str
    fault: str | None = None


class SampleCommands:
    """Adds and removes samples. Boards that were held try again, since the list of samples decides what is due."""

    def __init__(self, ledger: Ledger, recipe: Recipe | Laboratory, line: Line) -> None:
        self._ledger = ledger
        self._recipe = recipe
        self._line = line

    @property
    def by_name(self) -> dict[str, control.Command]:
        return {"sample_add": self._add, "sample_remove": self._remove}

    async def _add(self, question: Mapping[str, object]) -> control.Answer:
        """Makes a board a sample."""
        asked = parsed(_NewSample, question)
        if self._recipe.own_pki is None:
            raise control.CommandRefused(
                "samples need a recipe with this line's PKI: a partner would certify them anew"
            )
        try:
            uid = UID.parse(asked.uid)
            await self._ledger.samples.add(uid, Expected(asked.verdict, asked.fault), asked.decision)
        except (ValueError, DecisionRefused) as exc:
            raise control.CommandRefused(str(exc)) from exc
        log.info("sample.added", uid=str(uid), verdict=asked.verdict, fault=asked.fault, who=asked.who)
        self._line.open_to_new()
        return {"sample": str(uid)}

    async def _remove(self, question: Mapping[str, object]) -> control.Answer:
        """Takes a board off the list."""
        asked = parsed(_Sample, question)
        try:
            uid = UID.parse(asked.uid)
            await self._ledger.samples.remove(uid, asked.decision)
        except (ValueError, DecisionRefused) as exc:
            raise control.CommandRefused(str(exc)) from exc
        log.info("sample.removed", uid=str(uid), who=asked.who, reason=asked.reason)
        self._line.open_to_new()
        return {"sample": str(uid)}
