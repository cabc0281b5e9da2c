# SPDX-License-Identifier: Apache-2.0
"""What a request asks for: its query and its body as models. Whatever they do not know is a mistake that is told."""

import json
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeVar

from aiohttp import web
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from station.adapters.ledger.reader import EventFilter
from station.adapters.ledger.selection import Selection
from station.domain.attempt import VERDICTS, Phase
from station.domain.intervention import LONGEST_REASON
from station.domain.labelling import PrintReason
from station.domain.serial_number import LONGEST
from station.domain.work_order import LONGEST_NAME, LONGEST_ORDER, MOST

LARGEST_NUMBER = (1 << 63) - 1  # what the ledger's engine can count to
LONGEST_WORD = 64


def _in_utc(moment: datetime) -> datetime:
    """The moment in a zone of Python's own: one of pydantic's that is kept, in a cache, crashes the interpreter's end."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError("is no moment of the years 1 to 9999 in UTC") from exc


def _possible(moment: datetime) -> datetime:
    """The moment as it was given, if it can be told in this computer's zone and in UTC; both ends of the calendar cannot."""
    try:
        moment.astimezone().astimezone(UTC)
    except (OverflowError, OSError, ValueError) as exc:
        raise ValueError("is no moment that this computer's calendar has") from exc
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
LocalMoment = Annotated[datetime, AfterValidator(_possible)]
"""One that may be without a zone: it is then this computer's time."""
Word = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_WORD)]
REASONS = tuple(reason.value for reason in PrintReason)
STEPS = tuple(phase.value for phase in Phase if phase not in VERDICTS and phase is not Phase.STARTED)

Asked = TypeVar("Asked", bound=BaseModel)


class Mistaken(Exception):
    """The request is none that can be answered; the text says why."""


class Nothing(BaseModel):
    """A request that asks for nothing in particular."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(Nothing):
    """Which part of a list."""

    after: int = Field(default=0, ge=0, le=LARGEST_NUMBER)
    """The list begins after the entry of this number; the field `next` of the page before."""
    limit: int = Field(default=100, ge=1, le=1000)
    """So many entries at most."""


class EventPage(Page):
    """Which events, and which part of them."""

    slot: Word | None = None
    type: Word | None = None
    """The event's name in the ledger, such as `Failed`."""
    attempt: int | None = Field(default=None, ge=1, le=LARGEST_NUMBER)

    @property
    def filter(self) -> EventFilter:
        return EventFilter(slot=self.slot, type=self.type, attempt=self.attempt)


class AttemptPage(Page):
    """Which attempts, and which part of them. All conditions hold for each."""

    since: Moment | None = None
    """Attempts that began then or later."""
    until: Moment | None = None
    """Attempts that began before."""
    slot: Word | None = None
    verdict: Literal["pass", "fail", "void"] | None = None
    fault: Word | None = None
    lot: Word | None = None
    probe: Word | None = None
    step: Literal[STEPS] | None = None  # type: ignore[valid-type]  # the names are those of the domain
    """The step that began last."""

    @property
    def selection(self) -> Selection:
        return Selection(
            since=self.since,
            until=self.until,
            slot=self.slot,
            verdict=self.verdict,
            fault=self.fault,
            lot=self.lot,
            probe=self.probe,
            step=self.step,
        )


class AttemptList(AttemptPage):
    """The same as a document of its own kind: lines of JSON and CSV have all attempts unless `limit` is given."""

    format: Literal["json", "jsonl", "csv"] = "json"
    """`jsonl` and `csv` are streamed, with every selected attempt unless `limit` is given."""


class AskedNumbers(Nothing):
    """Which attempts are counted."""

    since: Moment | None = None
    """Attempts that began then or later."""
    until: Moment | None = None
    """Attempts that began before."""
    lot: Word | None = None
    slot: Word | None = None

    @property
    def selection(self) -> Selection:
        return Selection(since=self.since, until=self.until, lot=self.lot, slot=self.slot)


class PIN(Nothing):
    """What a person types at the page."""

    pin: str = Field(min_length=1, max_length=LONGEST_WORD, json_schema_extra={"writeOnly": True})
    shift: bool = False
    """Whether the token is for the shift, and good for scans of labels alone."""


class Reason(Nothing):
    """Why somebody changes something; it goes into the ledger with the name."""

    reason: str = Field(default="", max_length=LONGEST_REASON)


class LotReason(Nothing):
    """Why somebody changes a lot; it goes into the ledger with the name."""

    reason: str = Field(min_length=1, max_length=LONGEST_REASON)


class UnitReason(LotReason):
    """Why somebody decides about a unit; it goes into the ledger with the name."""


class NewSample(LotReason):
    """A golden board, or with a fault a known-bad one."""

    uid: str = Field(pattern="^[0-9a-fA-F]{24}$")
    fault: Word | None = None
    """The code with which a bad board must fail; null for a good one, which must pass."""


class NewLot(LotReason):
    """A lot for a work order, of the line's recipe as it is now."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    """Never given twice."""
    work_order: str = Field(min_length=1, max_length=LONGEST_ORDER)
    planned: int = Field(ge=1, le=MOST)
    """How many units are to pass."""
    pattern: str = Field(min_length=1, max_length=3 * LONGEST)
    """Serial numbers: text with one decimal number in it, such as LIGHT-{:06d}."""
    first: int = Field(ge=0, le=MOST)
    """The number of the first unit."""
    size: int = Field(ge=1, le=MOST)
    """How many serial numbers the lot has, for scrapped units, too."""


class PrintAsked(Nothing):
    """Why a label is printed; it goes into the ledger with the name."""

    reason: Literal[REASONS]  # type: ignore[valid-type]  # the names are those of the domain


class ScanAsked(Nothing):
    """What a scanner read from a label, and the slot of the board that the label is for."""

    text: str = Field(min_length=1, max_length=512, json_schema_extra={"writeOnly": True})
    slot: Word | None = None


def query_of(request: web.Request, model: type[Asked]) -> Asked:
    """The request's query; raises `Mistaken`."""
    if repeated := {name for name in request.query if len(request.query.getall(name)) > 1}:
        raise Mistaken(f"given more than once: {', '.join(sorted(repeated))[:LONGEST_WORD]}")
    return _parsed(model, dict(request.query))


async def body_of(request: web.Request, model: type[Asked]) -> Asked:
    """The request's body, JSON; raises `Mistaken`. An empty body is an empty object."""
    if request.can_read_body and request.content_type != "application/json":
        raise Mistaken("the body is not application/json")
    try:
        text = await request.text()
        return _parsed(model, json.loads(text) if text else {})
    except (ValueError, RecursionError, LookupError) as exc:
        raise Mistaken("the body is not JSON") from exc


def _parsed(model: type[Asked], content: object) -> Asked:
    try:
        return model.model_validate(content)
    except ValidationError as exc:
        told = [_sentence(model, error["loc"], error["msg"]) for error in exc.errors(include_input=False)]
        raise Mistaken("; ".join(told)) from None


def _sentence(model: type[BaseModel], place: tuple[int | str, ...], text: str) -> str:
    name = ".".join(map(str, place))[:LONGEST_WORD]
    if place and place[0] not in model.model_fields:
        known = ", ".join(model.model_fields) or "none"
        return f"{name} is not known here; there are: {known}"
    return f"{name}: {text}" if name else text
