# SPDX-License-Identifier: Apache-2.0
"""The commands of the control socket about lots for work orders."""

from collections.abc import Mapping

import structlog
from pydantic import ConfigDict, StrictInt

from station.adapters.ledger import Ledger
from station.daemon import control
from station.daemon.checkpointing import Checkpointing
from station.daemon.questions import Deciding, parsed
from station.domain.intervention import DecisionRefused
from station.domain.work_order import LotClosed, LotOpened, LotPaused, LotResumed
from station.line.line import Line
from station.recipe import unit_builder
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe

log = structlog.get_logger()


class _Lot(Deciding):
    name: str


class _NewLot(_Lot):
    model_config = ConfigDict(extra="ignore")

    work_order: str
    planned: StrictInt
    pattern: str
    first: StrictInt
    size: StrictInt


class LotCommands:
    """Opens, pauses and closes lots. Boards that were held for want of one try again."""

    def __init__(
        self, ledger: Ledger, recipe: Recipe | Laboratory, line: Line, audit: Checkpointing | None = None
    ) -> None:
        self._audit = audit  # which signs the chain at a lot's end
        self._ledger = ledger
        self._of_line = recipe
        self._line = line

    @property
    def by_name(self) -> dict[str, control.Command]:
        return {"lot_open": self._open, "lot_resume": self._resume, "lot_pause": self._pause, "lot_close": self._close}

    @property
    def _recipe(self) -> Recipe:
        recipe = self._of_line
        if not isinstance(recipe, Recipe) or recipe.new_secrets is None:
            raise control.CommandRefused("the line's recipe is a laboratory's, which makes no units for a work order")
        return recipe

    async def _open(self, question: Mapping[str, object]) -> control.Answer:
        """Opens a new lot for the line's recipe as it is now."""
        asked, recipe = parsed(_NewLot, question), self._recipe
        opened = LotOpened(
            asked.name,
            asked.work_order,
            recipe.name,
            recipe.sha256,
            asked.planned,
            asked.pattern,
            asked.first,
            asked.size,
        )
        try:
            unit_builder.check_work_order(recipe, asked.work_order)
            await self._ledger.open_lot(opened, asked.decision)
        except DecisionRefused as exc:
            raise control.CommandRefused(str(exc)) from exc
        log.info(
            "lot.opened",
            lot=asked.name,
            work_order=asked.work_order,
            planned=asked.planned,
            who=asked.who,
            reason=asked.reason,
        )
        self._line.open_to_new()
        return {"lot": asked.name, "state": "open"}

    async def _resume(self, question: Mapping[str, object]) -> control.Answer:
        """Opens a lot again that was paused."""
        return await self._changed(question, LotResumed, "open", recipe=self._recipe.sha256)

    async def _pause(self, question: Mapping[str, object]) -> control.Answer:
        """Lets no new unit begin in a lot for now."""
        return await self._changed(question, LotPaused, "paused")

    async def _close(self, question: Mapping[str, object]) -> control.Answer:
        """Lets no new unit begin in a lot ever again."""
        answer = await self._changed(question, LotClosed, "closed")
        if self._audit is not None:
            await self._audit.once()
        return answer

    async def _changed(
        self,
        question: Mapping[str, object],
        change: type[LotResumed | LotPaused | LotClosed],
        state: str,
        *,
        recipe: str | None = None,
    ) -> control.Answer:
        asked = parsed(_Lot, question)
        try:
            await self._ledger.change_lot(change(asked.name), asked.decision, recipe=recipe)
        except DecisionRefused as exc:
            raise control.CommandRefused(str(exc)) from exc
        log.info("lot.changed", lot=asked.name, state=state, who=asked.who, reason=asked.reason)
        self._line.open_to_new()
        return {"lot": asked.name, "state": state}
