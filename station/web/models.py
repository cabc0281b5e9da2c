# SPDX-License-Identifier: Apache-2.0
"""What the page shows, as models. Pure."""

from pydantic import BaseModel, ConfigDict

from station.domain.labelling import LabelStage
from station.line.status import SlotStatus


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Taken(_Model):
    """The verdict of the board that was pulled out last, for as long as somebody may hold it in the hand."""

    verdict: str
    fault: str | None
    act: str | None = None
    """What becomes of the board: a value of `domain.policy.Act`, or `take` after a pass."""
    attempt: int
    uid: str | None
    seconds: float
    """Since the board left."""


class Slot(SlotStatus):
    """One slot: its status, and what a person does about it."""

    procedure: str | None
    step_seconds: float
    """How long the step that runs has been running."""
    act: str | None
    """Who does what about the fault: a value of `domain.policy.Act`."""
    sentence: str | None
    """The fault's sentence, without its evidence."""
    taken: Taken | None
    place: tuple[int, int] | None
    """Row and column, where the configuration names them."""
    label: str = LabelStage.NONE.value
    """Of a unit that has passed here: `due` while its label waits for the printer, `printed` until its scan, `bound`; else `none`."""
    serial: str | None = None
    """The serial number on that label."""


class Line(_Model):
    state: str
    """`open`, `paused` by the fault, or `draining`."""
    fault: str | None
    reason: str | None
    act: str | None
    sentence: str | None


class Lot(_Model):
    name: str
    work_order: str | None
    planned: int | None
    passed: int
    """Units; where the recipe requires labels, those whose label is bound."""
    failed: int
    state: str | None = None
    """`open`, `paused` or `closed`; null for a recipe's lot."""
    warning: str | None = None
    """A sentence while the order or its serial numbers near their end."""


class Last(_Model):
    """The fault that came last, on whichever slot."""

    slot: str
    verdict: str
    """`fail`, `void`, or `out` of service."""
    attempt: int | None
    fault: str
    act: str
    sentence: str


class Planned(_Model):
    """How long a step is expected to take."""

    step: str
    seconds: float


Plans = dict[str, list[Planned]]
"""The steps of each procedure, in order."""


class Late(_Model):
    """How many messages the MES does not get."""

    late: int | None


class Stock(_Model):
    """The units that may begin without the centre of the shared ledger, once people must know of them.

    They must while it is `away`, and when the units are running out.
    """

    away: bool
    left: int | None
    """None while all is well, and without a shared ledger."""


NO_STOCK = Stock(away=False, left=None)


class Board(_Model):
    """All that the operator's page shows."""

    version: str
    """Of the page itself: a page of another version loads itself anew."""
    station: str
    recipe: str
    product: str | None
    columns: int | None
    line: Line
    lot: Lot | None
    last: Last | None
    plans: Plans
    mes: int | None = None
    """Messages that the MES does not get, given up or pending for a quarter of an hour; None without an MES."""
    shared: Stock = NO_STOCK
    slots: list[Slot]


class Health(_Model):
    ok: bool
    checks: dict[str, str]
    """`ok`, or what is wrong."""


class Problem(_Model):
    """An error, as RFC 9457 has it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
