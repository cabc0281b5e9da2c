# SPDX-License-Identifier: Apache-2.0
"""The daemon, as the operator's page sees it."""

import asyncio
from collections.abc import Mapping

from station.adapters.ledger.board_reader import BoardReader
from station.config.problems import ConfigurationInvalid
from station.daemon.label_scan import passed_in
from station.daemon.parts import Parts
from station.daemon.preflight import Preflight
from station.daemon.slot_labels import SlotLabels
from station.domain.attempt import Attempt
from station.domain.policy import Act
from station.factory_data.flat_tlv import Tag
from station.faults.line import PKI_FAULTS
from station.line.line import Line
from station.line.slot import Slot
from station.line.states import Recording, Running
from station.line.status import LineStatus, SlotStatus
from station.recipe.files.limits import step_limits
from station.recipe.recipe import Recipe
from station.web import models
from station.web.catalogue import ENTRIES
from station.web.door import About
from station.web.hub import planned_by

_AT_WORK = (Running, Recording)  # a tuple: `Running | Recording` makes a type at each look


class PageDoor:
    """The page's way to line, slots and ledger (`web.door.Door`)."""

    def __init__(
        self, parts: Parts, line: Line, slots: Mapping[str, Slot], preflight: Preflight, labels: SlotLabels
    ) -> None:
        self._parts = parts
        self._labels = labels
        self._line = line
        self._slots = {slot.name: (slot, path) for path, slot in slots.items()}
        self._marks = {slot.name: _Marked(slot) for slot in slots.values()}
        self._places = {slot.name: slot.place for slot in parts.config.slot}
        self._preflight = preflight
        recipe = parts.recipe
        product = recipe.product.get(Tag.PRODUCT_NAME) if isinstance(recipe, Recipe) else None
        self._lot = recipe.lot_name if isinstance(recipe, Recipe) else None
        self._told: object = None
        """What `_shown` was made of."""
        self._shown = self._line_shown()
        self._reader = BoardReader(parts.config.ledger, self._lot)
        self.about = About(
            station=parts.config.station.name,
            recipe=recipe.name,
            product=product.decode(errors="replace") if product else None,
            language=parts.config.web.language,
            columns=parts.config.web.columns,
            signs_in=parts.config.web.needs_people,
        )

    def line(self) -> models.Line:
        told = self._line.paused_by, self._line.draining, self._line.goes_on_by_itself
        if self._told != told:  # asked eight times a second
            self._told, self._shown = told, self._line_shown()
        return self._shown

    def _line_shown(self) -> models.Line:
        status = LineStatus.of(self._line)
        entry = ENTRIES[status.fault] if status.fault else None
        act = None if entry is None else Act.WAIT if self._line.goes_on_by_itself else Act.ENGINEER
        return models.Line(
            state=status.state,
            fault=status.fault,
            reason=status.reason,
            act=act.value if act else None,
            sentence=entry.sentence if entry else None,
        )

    def marks(self) -> Mapping[str, object]:
        paused = self._line.paused_by is not None
        if not self._labels.are_shown:
            return {name: marked.now(paused=paused) for name, marked in self._marks.items()}
        return {
            name: (marked.now(paused=paused), self._labels.of(passed_in(marked.slot)))
            for name, marked in self._marks.items()
        }

    def slot(self, name: str) -> models.Slot:
        slot, path = self._slots[name]
        status, taken = SlotStatus.of(slot, path), slot.taken
        label, serial = self._labels.of(passed_in(slot))
        entry = ENTRIES[status.fault] if status.fault else None
        attempt = slot.state.journal.attempt if isinstance(slot.state, Running | Recording) else None
        procedure = attempt.procedure.value if attempt is not None and attempt.procedure is not None else None
        return models.Slot.model_construct(  # of a status that has been validated, and of words of ours, eight times a second
            **vars(status),
            procedure=procedure,
            step_seconds=status.in_step(),
            act=entry.act.value if entry else None,
            sentence=entry.sentence if entry else None,
            taken=None
            if taken is None
            else models.Taken(
                verdict=taken.outcome.verdict,
                fault=taken.outcome.attempt.fault,
                act=_act_for(taken.outcome.verdict, taken.outcome.attempt.fault),
                attempt=taken.outcome.number,
                uid=str(taken.outcome.attempt.uid) if taken.outcome.attempt.uid else None,
                seconds=round(taken.seconds, 1),
            ),
            place=self._places[name],
            label=label.value,
            serial=serial,
        )

    def mes(self) -> int | None:
        return self._parts.mes.late

    def shared(self) -> models.Stock:
        sharing = self._parts.shared
        return models.NO_STOCK if sharing is None else sharing.stock

    def ready(self) -> models.Health:
        line, ledger = self.line(), self._parts.ledger.wrong
        pki = "ok"
        if self._parts.pki is not None and self._preflight.pki_answered_seconds_ago is None:
            pki = "has not answered yet"
        if isinstance(self._line.paused_by, PKI_FAULTS):
            pki = self._line.paused_by.code
        checks = {
            "line": "ok" if line.state == "open" else line.fault or line.state,
            "ledger": "ok" if ledger is None else ledger.code,
            "pki": pki,
        }
        return models.Health(ok=set(checks.values()) == {"ok"}, checks=checks)

    async def lot(self) -> models.Lot | None:
        return None if self._lot is None else await asyncio.to_thread(self._counted, self._lot)

    def _counted(self, of_recipe: str) -> models.Lot:
        """The work order's lot, or the recipe's in a ledger that never had an order."""
        name, standing, counts = self._reader.standing(of_recipe)
        lot = standing.lot if standing else None
        return models.Lot(
            name=name,
            work_order=lot.work_order if lot else None,
            planned=lot.planned if lot else None,
            passed=max(0, counts.passed - (lot.unbound if lot else 0)),
            failed=counts.failed,
            state=lot.state.value if lot and lot.state else None,
            warning=standing.warning if standing else None,
        )

    async def plans(self) -> models.Plans:
        read = await asyncio.to_thread(self._reader.plans)
        learned = {
            procedure: [models.Planned(step=step, seconds=seconds) for step, seconds in steps.items()]
            for procedure, steps in read.items()
        }
        return planned_by(await asyncio.to_thread(self._limits)) | learned

    def _limits(self) -> Mapping[str, float]:
        """The recipe's limits, as the file has them now."""
        try:
            return step_limits(self._parts.config.recipe)
        except (ConfigurationInvalid, OSError):  # the line runs with the recipe that it has read
            return {}


class _Marked:
    """A slot's mark, which differs once the slot shows something else.

    What it is made of are values, replaced whenever they change, so a slot that shows the same costs a look at each.
    """

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self._of: tuple[object, object, object, object] = (None,) * 4
        self._paused = False
        self._mark: object = None

    def now(self, *, paused: bool) -> object:
        slot, state = self.slot, self.slot.state
        attempt = state.journal.attempt if isinstance(state, _AT_WORK) else None
        was, at, service, last = self._of
        same = state is was and attempt is at and slot.service is service and slot.last is last
        if not same or paused is not self._paused:
            self._of, self._paused = (state, attempt, slot.service, slot.last), paused
            self._mark = state, _shown_of(attempt), slot.service, slot.last, paused
        return self._mark


def _shown_of(attempt: Attempt | None) -> object:
    return None if attempt is None else (attempt.phase, attempt.uid, attempt.procedure, len(attempt.seconds))


def _act_for(verdict: str, fault: str | None) -> str | None:
    """What becomes of a board that has left its slot."""
    if verdict == "pass":
        return "take"
    entry = ENTRIES.get(fault) if fault else None
    return entry.act.value if entry else None
