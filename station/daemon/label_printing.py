# SPDX-License-Identifier: Apache-2.0
"""Prints labels: the first of each unit that passes by itself, and further ones for people who give a reason.

The pass stands whatever the printer does. A print is in the ledger before a byte of the label leaves, so that none is
printed twice silently: one of which the station does not know what became of it counts, and a further print has a number.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from station.adapters.labels import printers
from station.adapters.ledger import Ledger, label_prints
from station.adapters.system.shown import shown
from station.daemon.control import CommandRefused, SubjectUnknown
from station.domain.intervention import DecisionRefused
from station.domain.labelling import LabelDeed, LabelEvent, PrintReason
from station.domain.secrets_deed import AUTOMATIC
from station.domain.target import UID
from station.faults import LineFault
from station.faults.line import PrinterNotReady
from station.faults.slot import UnitForgotten
from station.label.plan import LabelPlan
from station.recipe import unit_builder
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Recipe

log = structlog.get_logger()

LOOKED_EVERY = 0.5  # seconds between two looks for units that have passed
MOST_SHOWN = 100  # units with a print that is not proven
LONGEST_TROUBLE = 200  # characters of what a printer, or lp, says
TRIED_AGAIN_AFTER = 5.0  # seconds after a printer was not ready


@dataclass(frozen=True, slots=True)
class Printed:
    """One print. `trouble` is why it is not proven."""

    copy: int
    trouble: str | None


class LabelPrinting:
    """Prints one label after another. `trouble` is the fault for which labels wait now."""

    def __init__(self, ledger: Ledger, path: Path, recipe: Recipe | Laboratory) -> None:
        self._ledger = ledger
        self._path = path
        self._recipe = recipe
        self._looked_to = 0
        self._turn = asyncio.Lock()
        self._at_work: str | None = None  # the unit whose label is printed now
        self.trouble: PrinterNotReady | None = None
        self.waiting = 0

    @property
    def plan(self) -> LabelPlan | None:
        """The labels of the line's recipe; None if it has none."""
        made = isinstance(self._recipe, Recipe) and self._recipe.given is None
        return self._recipe.label if made and isinstance(self._recipe, Recipe) else None

    async def unproven(self) -> list[tuple[str, int]]:
        """Units whose newest print counts, and of which nobody knows whether it is on paper; and the print's number."""
        begun = await asyncio.to_thread(label_prints.unproven, self._path, MOST_SHOWN)
        return [each for each in begun if each[0] != self._at_work]

    async def begin(self) -> None:
        """Records whether the recipe's units get labels by themselves, and whether a work order counts them without one."""
        plan = self.plan
        if plan is not None and plan.required:
            await self._ledger.require_labels(self._recipe.sha256)
        await self._ledger.label_by_itself(self._recipe.name, on=plan is not None and plan.printer is not None)

    async def run(self) -> None:
        """Prints the first label of each unit that passes, until it is cancelled."""
        by_itself = self.plan is not None and self.plan.printer is not None
        while True:
            try:
                await self.begin()
                break
            except LineFault:  # the ledger's own; it is told by the ledger
                await asyncio.sleep(TRIED_AGAIN_AFTER)
        while by_itself:  # a look is cheap: from the last attempt that was looked at
            pause = LOOKED_EVERY if await self.once() else TRIED_AGAIN_AFTER
            await asyncio.sleep(pause)

    async def once(self) -> bool:
        """Prints what waits; returns whether all of it was printed."""
        try:
            found, self._looked_to = await asyncio.to_thread(
                label_prints.waiting, self._path, self._recipe.name, self._looked_to
            )
            self.waiting = len(found)
            for uid in found:
                await self._first(uid)
                self.waiting -= 1
        except PrinterNotReady as fault:
            self._wait(fault)
            return False
        except LineFault as fault:
            log.warning("label.unprinted", fault=fault.code)
            return False
        self._go_on()
        return True

    async def _first(self, uid: UID) -> None:
        try:
            await self.print(uid, PrintReason.FIRST, who=AUTOMATIC)
        except (CommandRefused, UnitForgotten) as exc:  # a person was quicker, or the unit was forgotten
            log.info("label.passed_over", uid=str(uid), reason=str(exc))

    def _wait(self, fault: PrinterNotReady) -> None:
        if self.trouble is None or self.trouble.reason != fault.reason:
            log.warning("label.waiting", fault=fault.code, reason=str(fault), units=self.waiting)
        self.trouble = fault

    def _go_on(self) -> None:
        if self.trouble is not None:
            log.info("label.printer_ready", printer=self.trouble.printer)
        self.trouble = None

    async def print(self, uid: UID, reason: PrintReason, *, who: str, engineer: bool = False) -> Printed:
        """Prints the unit's label; raises `PrinterNotReady` before a copy was counted, `CommandRefused` or `SubjectUnknown`."""
        plan = self.plan
        if plan is None or plan.printer is None or not isinstance(self._recipe, Recipe):
            raise CommandRefused("the recipe names no printer: see [label] printer")
        async with self._turn:
            self._at_work = str(uid)
            try:
                return await self._print(plan, self._recipe, uid, reason, who=who, engineer=engineer)
            except DecisionRefused as exc:
                raise CommandRefused(str(exc)) from exc
            finally:
                self._at_work = None

    async def _print(
        self, plan: LabelPlan, recipe: Recipe, uid: UID, reason: PrintReason, *, who: str, engineer: bool
    ) -> Printed:
        identity = await self._ledger.identity(uid)
        if identity is None:
            raise SubjectUnknown(f"no unit has UID {uid}")
        copy = (await self._ledger.label_state(uid)).next_copy(reason, plan.reprints, engineer=engineer)
        made_by, order = await self._ledger.made_by(uid), await self._ledger.work_order_of(uid)
        data = unit_builder.label_data(recipe, identity, made_by, order)
        drawing = plan.layout.drawing(data, copy)
        assert plan.printer is not None
        async with printers.ready(plan.printer) as device:
            deed = LabelDeed(datetime.now(UTC), uid, LabelEvent.PRINT_STARTED, copy, who, reason.value)
            await self._ledger.begin_print(deed, reason, plan.reprints, engineer=engineer)
            trouble = await device.send(drawing, f"{uid}-{copy}")
        trouble = shown(trouble, LONGEST_TROUBLE) if trouble else None
        event = LabelEvent.UNPROVEN if trouble else LabelEvent.PRINTED
        await self._ledger.record_label(LabelDeed(datetime.now(UTC), uid, event, copy, who, trouble or ""))
        write = log.warning if trouble else log.info
        write("label.printed", uid=str(uid), copy=copy, who=who, reason=reason.value, unproven=trouble)
        return Printed(copy, trouble)
