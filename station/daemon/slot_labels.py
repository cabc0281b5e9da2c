# SPDX-License-Identifier: Apache-2.0
"""What the page shows of the labels of the units in the slots: whether one is due, printed or bound. Never what is on it but the serial number."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from station.adapters.ledger import label_prints
from station.adapters.ledger.label_prints import UnitLabel
from station.domain.labelling import LabelStage
from station.domain.target import UID
from station.faults import LineFault
from station.label.plan import LabelPlan

LOOKED_EVERY = 0.5  # seconds between two looks for new events of labels


class SlotLabels:
    """The labels of the units that have passed in the slots and are still there, as the ledger had them a moment ago."""

    def __init__(self, path: Path, plan: LabelPlan | None, passed: Callable[[], Iterable[UID | None]]) -> None:
        """`passed` gives the units that have passed and are still there."""
        self._path = path
        only_drawn = plan is not None and plan.printer is None and not plan.required
        self._plan = None if only_drawn else plan
        self._passed = passed
        self._known: Mapping[UID, UnitLabel] = {}
        self._seen: tuple[frozenset[UID], int] | None = None

    @property
    def are_shown(self) -> bool:
        """Whether any unit here can have a label that the page shows."""
        return self._plan is not None

    def of(self, uid: UID | None) -> tuple[LabelStage, str | None]:
        """The label of one of these units, and the serial number on it. Cheap: it is asked ten times a second."""
        if uid is None or self._plan is None:
            return LabelStage.NONE, None
        known = self._known.get(uid)
        if known is None:  # it has passed just now, or has no identity: a sample
            is_new = self._seen is None or uid not in self._seen[0]
            return LabelStage.DUE if is_new and self._plan.printer is not None else LabelStage.NONE, None
        stage = known.state.stage(printed_here=self._plan.printer is not None, remembered=known.remembered)
        return stage, None if stage is LabelStage.NONE else known.serial_number

    async def run(self) -> None:
        """Follows the ledger until it is cancelled."""
        while self._plan is not None:
            with suppress(LineFault):  # the line itself pauses for it: the labels stay as they were known
                await self.once()
            await asyncio.sleep(LOOKED_EVERY)

    async def once(self) -> None:
        """Looks whether there are other units or new events."""
        uids = frozenset(uid for uid in self._passed() if uid is not None)
        if not uids:
            self._known, self._seen = {}, (uids, -1)
            return
        number = await asyncio.to_thread(label_prints.newest, self._path)
        if (uids, number) != self._seen:
            self._known = await asyncio.to_thread(label_prints.of_units, self._path, uids)
            self._seen = uids, number
