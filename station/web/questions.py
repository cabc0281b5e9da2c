# SPDX-License-Identifier: Apache-2.0
"""What a request asks for: its query and its body as models. Whatever they do not know is a mistake that is told."""

import json
from datetime import datetime
from typing import Annotated, Literal, TypeVar

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from station.adapters.ledger.selection import Selection
from station.domain.attempt import VERDICTS, Phase
from station.domain.intervention import LONGEST_REASON
from station.domain.labelling import PrintReason

LARGEST_NUMBER = (1 << 63) - 1  # what the ledger's engine can count to
LONGEST_WORD = 64

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


class AttemptPage(Page):
    """Which attempts, and which part of them. All conditions hold for each."""

    since: AwareDatetime | None = None
    """Attempts that began then or later."""
    until: AwareDatetime | None = None
    """Attempts that began before."""
    slot: Word | None = None
    verdict: Literal["pass", "fail", "void"] | None = None
    fault: Word | None = None
    lot: Word | None = None
    step: Literal[STEPS] | None = None  # type: ignore[valid-type]  # the names are those of the domain
    """The step that began last."""

    @property
    def selection(self) -> Selection:
        moments: dict[str, datetime | None] = {"since": self.since, "until": self.until}
        return Selection(
            **moments, slot=self.slot, verdict=self.verdict, fault=self.fault, lot=self.lot, step=self.step
        )


class PIN(Nothing):
    """What a person types at the page."""

    pin: str = Field(min_length=1, max_length=LONGEST_WORD, json_schema_extra={"writeOnly": True})


class Reason(Nothing):
    """Why somebody changes something; it goes into the ledger with the name."""

    reason: str = Field(default="", max_length=LONGEST_REASON)


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
