# SPDX-License-Identifier: Apache-2.0
"""The API, `/api/v1`: what it answers, and who may change what. `routes` has the table of its routes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

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
from station.web.acts import FORMS, ActRefused, Acts, LabelWrong, LotChange
from station.web.answers import as_json
from station.web.aside import aside
from station.web.attempt_stream import streamed
from station.web.central import Central, CentreAway
from station.web.counted import Counted
from station.web.door import Door
from station.web.guard import problem
from station.web.hub import Hub
from station.web.openapi import Schema
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
PERSON = web.RequestKey("person", Person)

Handler = Callable[["Api", web.Request], Awaitable[web.StreamResponse]]


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
