# SPDX-License-Identifier: Apache-2.0
"""The API, `/api/v1`: what it answers, who may change what, and each route's place in its description."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Literal, Protocol

import structlog
from aiohttp import web
from pydantic import BaseModel

from station.adapters.ledger import outbox, records, samples, selection
from station.adapters.ledger.reader import LedgerReader
from station.adapters.ledger.tables import iso
from station.adapters.system.people_file import PeopleUnusable
from station.domain.intervention import LONGEST_ACCOUNT
from station.domain.people import Person, Role
from station.faults.line import LedgerUnavailable
from station.web.answers import as_json
from station.web.aside import aside
from station.web.attempt_stream import streamed
from station.web.central import Central, CentreAway
from station.web.counted import Counted
from station.web.door import Door
from station.web.guard import problem
from station.web.hub import Hub
from station.web.openapi import Schema, described, listed, named, picture, table
from station.web.pins import PINs
from station.web.questions import (
    PIN,
    AskedNumbers,
    AttemptList,
    EventPage,
    LotReason,
    Mistaken,
    NewLot,
    NewSample,
    Nothing,
    Page,
    PrintAsked,
    Reason,
    ScanAsked,
    UnitReason,
    body_of,
    query_of,
)
from station.web.sessions import SECONDS, SHIFT_SECONDS, Delayed

log = structlog.get_logger()

PREFIX = "/api/v1"
FORMS = {"svg": "image/svg+xml", "pdf": "application/pdf", "zpl": "text/plain"}  # of a label
PERSON = web.RequestKey("person", Person)

LotChange = Literal["resume", "pause", "close"]

Handler = Callable[["Api", web.Request], Awaitable[web.StreamResponse]]


class ActRefused(Exception):
    """The daemon refuses what a person wants to do; the text gives the reason."""


class LabelWrong(ActRefused):
    """The scanned label is not that of the board in the slot; `other` is None for the label of an unknown unit."""

    def __init__(self, text: str, slot: str, board: str, other: str | None) -> None:
        super().__init__(text)
        self.slot = slot
        self.board = board
        self.other = other


class Acts(Protocol):
    """What people may do, as the daemon does it. `who` goes into the ledger. Raises `ActRefused`."""

    async def hold(self, slot: str, *, who: str, reason: str) -> Mapping[str, object]: ...

    async def release(self, slot: str | None, *, who: str, reason: str) -> Mapping[str, object]: ...

    async def label(self, uid: str, form: str, *, who: str) -> bytes:
        """A unit's label in one of `FORMS`: secret. It is recorded before."""
        ...

    async def print_label(self, uid: str, reason: str, *, who: str, engineer: bool) -> Mapping[str, object]:
        """Prints a unit's label again, or for the first time."""
        ...

    async def scan(self, text: str, slot: str | None, *, who: str) -> Mapping[str, object]:
        """Compares a scanned label with the boards in the slots; raises `LabelWrong`, too."""
        ...

    async def release_unit(self, uid: str, *, who: str, reason: str) -> Mapping[str, object]:
        """Ends a unit's quarantine."""
        ...

    async def scrap_unit(self, uid: str, *, who: str, reason: str) -> Mapping[str, object]:
        """Burns a unit's identity for ever."""
        ...

    async def add_sample(self, sample: NewSample, *, who: str) -> Mapping[str, object]: ...

    async def open_lot(self, lot: NewLot, *, who: str) -> Mapping[str, object]: ...

    async def change_lot(self, lot: str, change: LotChange, *, who: str, reason: str) -> Mapping[str, object]: ...


@dataclass(frozen=True, slots=True)
class Route:
    """One route. Without a role everybody who may read may ask; `asked` is the query of a GET and the body of a POST."""

    method: str
    path: str
    handler: Handler
    what: str
    answers: Schema
    role: Role | None = None
    asked: type[BaseModel] = Nothing
    also: tuple[str, ...] = ()
    """Media types in which it answers besides JSON."""


class Api:
    """Answers for one daemon."""

    def __init__(
        self,
        door: Door,
        hub: Callable[[], Hub],
        ledger: LedgerReader,
        pins: PINs,
        acts: Acts,
        counted: Counted,
        central: Central | None = None,
    ) -> None:
        self._door = door
        self._hub = hub
        self._ledger = ledger
        self._pins = pins
        self._counted = counted
        self._acts = acts
        self._central = central

    def add_to(self, app: web.Application) -> None:
        """Adds every route, and their description at `openapi.json`."""
        for route in ROUTES:
            app.router.add_route(route.method, route.path, self.answering(route))

        async def describe(request: web.Request) -> web.StreamResponse:
            return as_json(request, described_routes())

        app.router.add_get(f"{PREFIX}/openapi.json", describe)

    def answering(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The handler, behind what holds for every route: the right to change, and mistakes told as RFC 9457 has it."""

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                if route.role is not None:
                    request[PERSON] = await self._allowed(request, route.role, scans=route.handler is Api.scan)
                return await route.handler(self, request)
            except Mistaken as exc:
                return problem(400, str(exc))
            except _Denied as exc:
                return exc.answer
            except LabelWrong as exc:
                return problem(409, str(exc), slot=exc.slot, board=exc.board, other=exc.other)
            except ActRefused as exc:
                return problem(409, str(exc))
            except (LedgerUnavailable, PeopleUnusable, CentreAway) as exc:
                return problem(503, str(exc))

        return answer

    # --- questions ------------------------------------------------------------------------------------------------------

    async def board(self, request: web.Request) -> web.StreamResponse:
        """All that the operator's page shows."""
        query_of(request, Nothing)
        return as_json(request, self._hub().board())

    async def line(self, request: web.Request) -> web.StreamResponse:
        """The line."""
        query_of(request, Nothing)
        return as_json(request, self._door.line())

    async def slots(self, request: web.Request) -> web.StreamResponse:
        """All slots."""
        query_of(request, Nothing)
        slots = [self._door.slot(name).model_dump(mode="json") for name in self._door.marks()]
        return as_json(request, {"slots": slots})

    async def slot(self, request: web.Request) -> web.StreamResponse:
        """One slot."""
        query_of(request, Nothing)
        return as_json(request, self._door.slot(self._named(request)))

    async def units(self, request: web.Request) -> web.StreamResponse:
        """A page of units."""
        page = query_of(request, Page)
        found = await aside(self._ledger.units_after, page.after, page.limit)
        entries = [{"number": number, **records.values(unit)} for number, unit in found]
        return as_json(request, _listed("units", entries, page))

    async def unit(self, request: web.Request) -> web.StreamResponse:
        """One unit's story."""
        query_of(request, Nothing)
        story = await aside(self._ledger.unit, request.match_info["unit"])
        return (
            problem(404, "the ledger knows no such unit") if story is None else as_json(request, records.story(story))
        )

    async def label(self, request: web.Request, form: str) -> web.StreamResponse:
        """One unit's label in the form of its suffix: the only answers with a passcode."""
        query_of(request, Nothing)
        content = await self._acts.label(request.match_info["unit"], form, who=_who(request))
        return web.Response(body=content, content_type=FORMS[form], headers={"Cache-Control": "no-store"})

    async def attempts(self, request: web.Request) -> web.StreamResponse:
        """A page of attempts, or all of them in a stream."""
        page = query_of(request, AttemptList)
        if page.format != "json":
            most = page.limit if "limit" in page.model_fields_set else None
            return await streamed(request, self._ledger.path, page, page.format, most)
        found = await aside(selection.attempts_after, self._ledger.path, page.selection, page.after, page.limit)
        return as_json(request, _listed("attempts", [records.values(each) for each in found], page))

    async def events(self, request: web.Request) -> web.StreamResponse:
        """A page of events."""
        page = query_of(request, EventPage)
        found = await aside(self._ledger.events_after, page.after, page.limit, page.filter)
        return as_json(request, _listed("events", [records.values(each) for each in found], page))

    async def numbers(self, request: web.Request) -> web.StreamResponse:
        """The figures of a period."""
        asked = query_of(request, AskedNumbers)
        found = await self._counted.numbers(asked.selection)
        period = {"since": asked.since and iso(asked.since), "until": asked.until and iso(asked.until)}
        return as_json(request, {**period, "lot": asked.lot, "slot": asked.slot, **records.numbers(found)})

    async def lots(self, request: web.Request) -> web.StreamResponse:
        """All lots."""
        query_of(request, Nothing)
        return as_json(request, {"lots": [records.values(each) for each in await self._counted.lots()]})

    async def lot(self, request: web.Request) -> web.StreamResponse:
        """One lot."""
        query_of(request, Nothing)
        name = request.match_info["lot"]
        found = [each for each in await self._counted.lots() if each.name == name]
        return (
            as_json(request, records.values(found[0]))
            if found
            else problem(404, "neither ledger nor recipe has such a lot")
        )

    async def central(self, request: web.Request) -> web.StreamResponse:
        """All stations that share the ledger."""
        query_of(request, Nothing)
        if self._central is None:
            return problem(404, "this station shares its ledger with no other")
        return as_json(request, await self._central.stations())

    async def samples(self, request: web.Request) -> web.StreamResponse:
        """All samples."""
        query_of(request, Nothing)
        found = await aside(samples.listed, self._ledger.path)
        return as_json(request, {"samples": [records.values(each) for each in found]})

    async def outbox(self, request: web.Request) -> web.StreamResponse:
        """A page of messages that no receiver has confirmed."""
        page = query_of(request, Page)
        found = await aside(outbox.listed, self._ledger.path, page.after, page.limit)
        return as_json(request, _listed("messages", [records.values(each) for each in found], page))

    # --- people and what they do ----------------------------------------------------------------------------------------

    async def open_session(self, request: web.Request) -> web.StreamResponse:
        """A token for a PIN."""
        asked = await body_of(request, PIN)
        address = request.remote or ""
        try:
            person = await self._pins.owner(asked.pin, address)
        except Delayed as exc:
            return _later(exc.seconds)
        if person is None:
            return _wrong(self._pins.sessions.delay(address))
        opened = self._pins.sessions.open_shift if asked.shift else self._pins.sessions.open
        token, seconds = opened(person, address), SHIFT_SECONDS if asked.shift else SECONDS
        log.info("web.session_opened", who=person.name, role=person.role.value, address=address)
        content = {"token": token, "name": person.name, "role": person.role.value, "seconds": seconds}
        return web.json_response(content, headers={"Cache-Control": "no-store"})

    async def _allowed(self, request: web.Request, needed: Role, *, scans: bool) -> Person:
        person = await self._pins.bearer(request.headers.get("Authorization", ""), scans=scans)
        if person is None:
            denied = problem(
                401, f"POST {PREFIX}/sessions with a PIN gives a token, to be sent as Authorization: Bearer"
            )
            denied.headers["WWW-Authenticate"] = "Bearer"
            raise _Denied(denied)
        if not person.role.may(needed):
            raise _Denied(problem(403, f"{person.name} is {person.role.named}, and this is for {needed.named}"))
        return person

    async def hold(self, request: web.Request) -> web.StreamResponse:
        """Takes a slot out of service."""
        slot, asked = self._named(request), await body_of(request, Reason)
        return web.json_response(await self._acts.hold(slot, who=_who(request), reason=asked.reason))

    async def release_slot(self, request: web.Request) -> web.StreamResponse:
        """Puts a slot on trial."""
        slot, asked = self._named(request), await body_of(request, Reason)
        return web.json_response(await self._acts.release(slot, who=_who(request), reason=asked.reason))

    async def release_line(self, request: web.Request) -> web.StreamResponse:
        """Releases line and slots."""
        asked = await body_of(request, Reason)
        return web.json_response(await self._acts.release(None, who=_who(request), reason=asked.reason))

    async def release_unit(self, request: web.Request) -> web.StreamResponse:
        """Ends a unit's quarantine."""
        asked, unit = await body_of(request, UnitReason), request.match_info["unit"]
        return web.json_response(await self._acts.release_unit(unit, who=_who(request), reason=asked.reason))

    async def scrap_unit(self, request: web.Request) -> web.StreamResponse:
        """Burns a unit's identity."""
        asked, unit = await body_of(request, UnitReason), request.match_info["unit"]
        return web.json_response(await self._acts.scrap_unit(unit, who=_who(request), reason=asked.reason))

    async def new_sample(self, request: web.Request) -> web.StreamResponse:
        """Makes a board a sample."""
        asked = await body_of(request, NewSample)
        return web.json_response(await self._acts.add_sample(asked, who=_who(request)))

    async def new_lot(self, request: web.Request) -> web.StreamResponse:
        """Opens a lot for a work order."""
        asked = await body_of(request, NewLot)
        return web.json_response(await self._acts.open_lot(asked, who=_who(request)))

    async def open_lot(self, request: web.Request) -> web.StreamResponse:
        """Opens a paused lot again."""
        return await self._changed_lot(request, "resume")

    async def pause_lot(self, request: web.Request) -> web.StreamResponse:
        """Pauses a lot."""
        return await self._changed_lot(request, "pause")

    async def close_lot(self, request: web.Request) -> web.StreamResponse:
        """Closes a lot."""
        return await self._changed_lot(request, "close")

    async def _changed_lot(self, request: web.Request, change: LotChange) -> web.StreamResponse:
        asked, lot = await body_of(request, LotReason), request.match_info["lot"]
        return web.json_response(await self._acts.change_lot(lot, change, who=_who(request), reason=asked.reason))

    async def print_label(self, request: web.Request) -> web.StreamResponse:
        """Prints a label."""
        asked, person = await body_of(request, PrintAsked), request[PERSON]
        engineer = person.role.may(Role.ENGINEER)
        done = await self._acts.print_label(
            request.match_info["unit"], asked.reason, who=_who(request), engineer=engineer
        )
        return web.json_response(done)

    async def scan(self, request: web.Request) -> web.StreamResponse:
        """Compares a scanned label with the boards in the slots."""
        asked = await body_of(request, ScanAsked)
        return web.json_response(await self._acts.scan(asked.text, asked.slot, who=_who(request)))

    def _named(self, request: web.Request) -> str:
        name = request.match_info["slot"]
        if name not in self._door.marks():
            raise _Denied(problem(404, "the line has no such slot"))
        return name


class _Denied(Exception):
    """Another answer than the one that was asked for."""

    def __init__(self, answer: web.Response) -> None:
        super().__init__(answer.status)
        self.answer = answer


def _listed(name: str, entries: list[dict[str, object]], page: Page) -> dict[str, object]:
    """A page of a list; `next` is null on the last one."""
    return {name: entries, "next": entries[-1]["number"] if len(entries) == page.limit else None}


def _later(seconds: float) -> web.Response:
    return _retried(problem(429, f"after a wrong PIN this address waits: {seconds:.0f} s more"), seconds)


def _wrong(seconds: float) -> web.Response:
    return _retried(problem(403, "nobody has this PIN; `station people add` gives one"), seconds)


def _retried(answer: web.Response, seconds: float) -> web.Response:
    """The answer, with the seconds after which another try is looked at."""
    answer.headers["Retry-After"] = str(int(seconds) + 1)
    return answer


def _who(request: web.Request) -> str:
    """The person and the place, as the ledger keeps it, which has room for the longest name and most of an address."""
    return f"{request[PERSON].name} at {request.remote}"[:LONGEST_ACCOUNT]


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


@cache
def described_routes() -> dict[str, object]:
    """The API in OpenAPI 3.1."""
    return described(ROUTES)
