# SPDX-License-Identifier: Apache-2.0
"""The table of the API's routes, each with its place in the description."""

from collections.abc import Callable
from functools import cache, partial

from aiohttp import web

from station.domain.people import Role
from station.web.acts import FORMS
from station.web.answers import as_json
from station.web.api import PREFIX, Api, Route
from station.web.openapi import described, listed, named, picture, table
from station.web.questions import (
    PIN,
    AskedNumbers,
    AttemptList,
    EventPage,
    LotReason,
    NewLot,
    NewSample,
    Page,
    PrintAsked,
    Reason,
    ScanAsked,
    UnitReason,
)

_SLOT = f"{PREFIX}/slots/{{slot}}"
_UNIT = f"{PREFIX}/units/{{unit}}"
_LOT = f"{PREFIX}/lots/{{lot}}"
ROUTES = (
    Route("GET", f"{PREFIX}/board", Api.board, "All that the operator's page shows.", named("Board")),
    Route("GET", f"{PREFIX}/line", Api.line, "Whether the line takes boards.", named("Line")),
    Route(
        "GET",
        f"{PREFIX}/slots",
        Api.slots,
        "All slots, in their order.",
        table(slots={"type": "array", "items": named("Slot")}),
    ),
    Route("GET", _SLOT, Api.slot, "One slot.", named("Slot")),
    Route(
        "GET",
        f"{PREFIX}/units",
        Api.units,
        "Units, in the order of their identities.",
        listed("units", "Unit"),
        asked=Page,
    ),
    Route(
        "GET",
        f"{PREFIX}/units/{{unit}}",
        Api.unit,
        "One unit's whole story, by UID or serial number.",
        named("Story"),
    ),
    *(
        Route(
            "GET",
            f"{PREFIX}/units/{{unit}}/label.{form}",
            partial(Api.label, form=form),
            f"A unit's label as {form.upper()}, by UID: it holds the passcode. The ledger records who asked.",
            picture(kind),
            Role.ENGINEER,
        )
        for form, kind in FORMS.items()
    ),
    Route(
        "POST",
        f"{PREFIX}/units/{{unit}}/labels",
        Api.print_label,
        "Prints a unit's label, by UID: a further print has a number and voids the one before. Beyond `[label] reprints` for an engineer.",
        named("Print"),
        Role.OPERATOR,
        PrintAsked,
    ),
    Route(
        "POST",
        f"{PREFIX}/labels/scan",
        Api.scan,
        "Says where the board of a scanned label is; with a slot, binds the label to the board there, or refuses it with both serial numbers, which are the members `board` and `other` of the error.",
        named("Scanned"),
        Role.OPERATOR,
        ScanAsked,
    ),
    Route(
        "GET",
        f"{PREFIX}/attempts",
        Api.attempts,
        "Attempts, in their order.",
        listed("attempts", "Attempt"),
        asked=AttemptList,
        also=("application/jsonl", "text/csv"),
    ),
    Route(
        "GET",
        f"{PREFIX}/events",
        Api.events,
        "The events of all attempts, in their order.",
        listed("events", "Event"),
        asked=EventPage,
    ),
    Route(
        "GET",
        f"{PREFIX}/numbers",
        Api.numbers,
        "First-pass yield, what failed where, seconds by step, units an hour: the figures of `station numbers`.",
        named("Numbers"),
        asked=AskedNumbers,
    ),
    Route(
        "GET",
        f"{PREFIX}/lots",
        Api.lots,
        "What became of the identities of each lot.",
        table(lots={"type": "array", "items": named("LotCounts")}),
    ),
    Route("GET", f"{PREFIX}/lots/{{lot}}", Api.lot, "The same of one lot.", named("LotCounts")),
    Route(
        "GET",
        f"{PREFIX}/central",
        Api.central,
        "The stations that share the ledger, and their yields of the last 24 hours, as the centre knows them now.",
        named("SharedView"),
    ),
    Route(
        "GET",
        f"{PREFIX}/outbox",
        Api.outbox,
        "Messages that the MES has not confirmed: pending, or given up, which have `dead_at`.",
        listed("messages", "Message"),
        asked=Page,
    ),
    Route(
        "POST",
        f"{PREFIX}/sessions",
        Api.open_session,
        "A PIN buys a token for two minutes, or with `shift` one for eight hours that is good for scans of labels alone.",
        named("Session"),
        asked=PIN,
    ),
    Route("POST", f"{_SLOT}/hold", Api.hold, "Takes a slot out of service.", named("Held"), Role.OPERATOR, Reason),
    Route(
        "POST",
        f"{_SLOT}/release",
        Api.release_slot,
        "Puts a slot on trial.",
        named("Released"),
        Role.ENGINEER,
        Reason,
    ),
    Route(
        "POST",
        f"{PREFIX}/line/release",
        Api.release_line,
        "Releases the line, and every slot that is out of service.",
        named("Released"),
        Role.ENGINEER,
        Reason,
    ),
    Route(
        "POST",
        f"{_UNIT}/release",
        Api.release_unit,
        "Ends the quarantine of a unit, by UID: it may be tried again.",
        table(released={"type": "string"}),
        Role.ENGINEER,
        UnitReason,
    ),
    Route(
        "POST",
        f"{_UNIT}/scrap",
        Api.scrap_unit,
        "Scraps a unit, by UID: its identity is burned for ever, and `certificate` is that of the DAC to be revoked.",
        table(scrapped={"type": "string"}, certificate={"type": ["string", "null"]}),
        Role.ENGINEER,
        UnitReason,
    ),
    Route(
        "GET",
        f"{PREFIX}/samples",
        Api.samples,
        "The golden and known-bad boards, and how each ended last.",
        table(samples={"type": "array", "items": named("Sample")}),
    ),
    Route(
        "POST",
        f"{PREFIX}/samples",
        Api.new_sample,
        "Makes a board a sample, which proves the line.",
        table(sample={"type": "string"}),
        Role.ENGINEER,
        NewSample,
    ),
    Route(
        "POST",
        f"{PREFIX}/lots",
        Api.new_lot,
        "Opens a lot for a work order: new units come from it.",
        named("ChangedLot"),
        Role.ENGINEER,
        NewLot,
    ),
    Route(
        "POST", f"{_LOT}/open", Api.open_lot, "Opens a paused lot again.", named("ChangedLot"), Role.ENGINEER, LotReason
    ),
    Route(
        "POST",
        f"{_LOT}/pause",
        Api.pause_lot,
        "Lets no new unit begin in a lot for now.",
        named("ChangedLot"),
        Role.ENGINEER,
        LotReason,
    ),
    Route(
        "POST",
        f"{_LOT}/close",
        Api.close_lot,
        "Lets no new unit ever begin in a lot again.",
        named("ChangedLot"),
        Role.ENGINEER,
        LotReason,
    ),
)


def of(api: Api) -> Callable[[web.Application], None]:
    """What adds every route to the page's application, and their description at `openapi.json`."""
    return partial(_add, api)


def _add(api: Api, app: web.Application) -> None:
    for route in ROUTES:
        app.router.add_route(route.method, route.path, api.answering(route))

    async def describe(request: web.Request) -> web.StreamResponse:
        return as_json(request, described_routes())

    app.router.add_get(f"{PREFIX}/openapi.json", describe)


@cache
def described_routes() -> dict[str, object]:
    """The API in OpenAPI 3.1."""
    return described(ROUTES)
