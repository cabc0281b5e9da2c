# SPDX-License-Identifier: Apache-2.0
"""The engineer's pages: numbers, attempts, units, slots, lots, events and stations, rendered here, so that they work without scripts and can be printed."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from urllib.parse import quote, urlencode

from aiohttp import web
from pydantic import Field

from station.adapters.ledger import events, selection
from station.adapters.ledger.reader import JournalEntry, LedgerReader
from station.adapters.ledger.selection import Selection
from station.adapters.system.transcripts import place_of
from station.domain.ago import ago
from station.domain.numbers import Numbers, Rate, improbable
from station.faults.line import LedgerUnavailable, OnboardingCodeInvalid
from station.matter.onboarding.codes import LONGEST_QR_CODE, is_meant_as_qr_code, parse_qr_code
from station.web.aside import aside
from station.web.catalogue import ENTRIES
from station.web.central import Central, CentreAway
from station.web.counted import Counted
from station.web.door import Door
from station.web.guard import problem
from station.web.models import Problem
from station.web.questions import AttemptPage, EventPage, LocalMoment, Mistaken, Nothing, Page, Word, query_of
from station.web.templates import rendered

NEWEST = 100  # rows of a list
BOARDS = 80  # of a slot
COMPARED = timedelta(days=1)  # unless somebody asks for another time

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class AskedPeriod(Nothing):
    """Which attempts are counted. A time without a zone is this computer's."""

    since: LocalMoment | None = None
    until: LocalMoment | None = None
    lot: Word | None = None
    slot: Word | None = None


class AskedSlot(Nothing):
    """Since when a slot is compared with the others."""

    since: LocalMoment | None = None


class AskedUnits(Nothing):
    """The UID or serial number that somebody looks for, or the text of a label that was scanned."""

    find: str = Field(default="", max_length=LONGEST_QR_CODE)


class NotThere(Exception):
    """There is no such unit or slot; the text says so."""


class Pages:
    """The pages of one daemon, for whoever may read."""

    def __init__(self, door: Door, ledger: LedgerReader, counted: Counted, central: Central | None = None) -> None:
        self._door = door
        self._ledger = ledger
        self._counted = counted
        self._central = central

    def add_to(self, app: web.Application) -> None:
        """Adds every page."""
        for path, handler in (
            ("/numbers", self._numbers),
            ("/attempts", self._attempts),
            ("/units", self._units),
            ("/units/{unit}", self._unit),
            ("/slots/{slot}", self._slot),
            ("/lots", self._lots),
            ("/events", self._events),
            *([("/central", self._stations)] if self._central is not None else []),
        ):
            app.router.add_get(path, self._answering(handler))

    async def _numbers(self, request: web.Request) -> web.StreamResponse:
        asked = query_of(_without_blanks(request), AskedPeriod)
        wanted = Selection(since=_zoned(asked.since), until=_zoned(asked.until), lot=asked.lot, slot=asked.slot)
        found = await self._counted.numbers(wanted)
        query = urlencode({name: text for name, text in _texts(asked).items() if text})
        most = max((hour.units for hour in found.hours), default=0) or 1
        return self._page("numbers", "/numbers", found=found, asked=_texts(asked), query=query, most=most)

    async def _lots(self, request: web.Request) -> web.StreamResponse:
        query_of(request, Nothing)
        return self._page("lots", "/lots", rows=await self._counted.lots())

    async def _stations(self, request: web.Request) -> web.StreamResponse:
        query_of(request, Nothing)
        assert self._central is not None
        try:
            found = await self._central.stations()
        except CentreAway as exc:
            page = self._page("central", "/central", found=None, away=str(exc))
            page.set_status(503)
            return page
        return self._page("central", "/central", found=found, away="", ago=ago, late=found.is_unheard, hour=_hour)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        asked = query_of(_without_blanks(request), EventPage)
        rows, last = await aside(self._ledger.newest_events, NEWEST, asked.filter)
        chosen = {name: text for name, text in _texts(asked).items() if name in {"slot", "type", "attempt"}}
        query = urlencode({name: text for name, text in chosen.items() if text})
        return self._page("events", "/events", rows=rows, last=last, asked=chosen, query=query, said=_said)

    async def _attempts(self, request: web.Request) -> web.StreamResponse:
        asked = query_of(_without_blanks(request), AttemptPage)
        rows = await self._newest(asked.selection, NEWEST)
        texts = _texts(asked)
        query = urlencode({name: text for name, text in texts.items() if text and name not in Page.model_fields})
        return self._page("attempts", "/attempts", rows=rows, asked=texts, query=query)

    async def _units(self, request: web.Request) -> web.StreamResponse:
        asked = query_of(request, AskedUnits)
        text = asked.find.strip()
        if is_meant_as_qr_code(text):
            return await self._scanned(text)
        if text:
            return web.Response(status=303, headers={"Location": f"/units/{quote(text, safe='')}"})
        rows = await aside(lambda: list(self._ledger.units(newest=NEWEST))[::-1])
        return self._page("units", "/units", rows=rows, scanned=None)

    async def _scanned(self, text: str) -> web.StreamResponse:
        """The units of a label. No answer repeats its text, which has the passcode; the ledger is asked for the rest of it."""
        try:
            (payload,) = parse_qr_code(text)
        except (OnboardingCodeInvalid, ValueError):
            raise Mistaken("the scanned text is no onboarding code of one unit") from None
        if isinstance(payload.serial_number, str):
            return web.Response(status=303, headers={"Location": f"/units/{quote(payload.serial_number, safe='')}"})
        number = payload.discriminator.value
        rows = await aside(self._ledger.units_with, number, NEWEST)
        return self._page("units", "/units", rows=rows, scanned=number)

    async def _unit(self, request: web.Request) -> web.StreamResponse:
        query_of(request, Nothing)
        story = await aside(self._ledger.unit, request.match_info["unit"])
        if story is None:
            raise NotThere("the ledger knows no such unit")
        longest = max((each.summary.seconds for each in story.attempts), default=0.0) or 1.0
        return self._page(
            "unit",
            "/units",
            story=story,
            type=_type,
            body=_body,
            parts=_parts,
            longest=longest,
            transcript=lambda attempt: place_of(attempt).as_posix(),
        )

    async def _slot(self, request: web.Request) -> web.StreamResponse:
        name, asked = request.match_info["slot"], query_of(_without_blanks(request), AskedSlot)
        if name not in self._door.marks():
            raise NotThere("the line has no such slot")
        since = _zoned(asked.since) or datetime.now().astimezone().replace(second=0, microsecond=0) - COMPARED
        here = await self._counted.numbers(Selection(since=since, slot=name))
        elsewhere = await self._counted.numbers(Selection(since=since, other_than=name))
        rows = await self._newest(Selection(slot=name), BOARDS)
        return self._page(
            "slot",
            "",
            rows=rows,
            slot=self._door.slot(name),
            names=list(self._door.marks()),
            since=since,
            now=datetime.now(UTC),
            local=here,
            elsewhere=elsewhere,
            not_chance=improbable(_judged(here), _judged(elsewhere)),
            faults=_faults(here, elsewhere),
        )

    def _answering(self, handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except NotThere as exc:
                return self._refused(request, 404, str(exc))
            except Mistaken as exc:
                return self._refused(request, 400, str(exc))
            except LedgerUnavailable as exc:
                return self._refused(request, 503, str(exc))

        return answer

    def _refused(self, request: web.Request, status: int, why: str) -> web.Response:
        """The problem; a browser shows people a page, with the way to the others."""
        told = problem(status, why)
        if "text/html" not in request.headers.get("Accept", ""):
            return told
        page = self._page("problem", "", problem=Problem(title=told.reason or "", status=status, detail=why))
        page.set_status(status)
        return page

    async def _newest(self, wanted: Selection, most: int) -> list[selection.AttemptRecord]:
        return await aside(lambda: list(selection.attempts(self._ledger.path, wanted, newest=most)))

    def _page(self, name: str, here: str, **values: object) -> web.Response:
        about = self._door.about
        shares = self._central is not None
        always = {"station": about.station, "signs_in": about.signs_in, "shares": shares, "sentence": _sentence}
        text = rendered(name, here=here, **always, **values)
        return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})


def _without_blanks(request: web.Request) -> web.Request:
    """The request without the fields of a form that nobody filled in."""
    kept = {name: text for name, text in request.query.items() if text}
    return request.clone(rel_url=request.rel_url.with_query(kept)) if len(kept) < len(request.query) else request


def _zoned(moment: datetime | None) -> datetime | None:
    """A time without a zone is this computer's."""
    return None if moment is None else moment.astimezone()


def _texts(asked: Nothing) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in asked.model_dump(mode="json").items()}


def _sentence(code: str | None) -> str:
    entry = ENTRIES.get(code or "")
    return entry.sentence if entry else ""


def _hour(name: str) -> str:
    return f"{datetime.fromisoformat(name).astimezone():%Y-%m-%d %H:%M %Z}"


def _judged(found: Numbers) -> Rate:
    return Rate(found.failed, found.passed + found.failed)


def _faults(here: Numbers, elsewhere: Numbers) -> list[tuple[str, int, int, int, int]]:
    """Each fault with its fails and voids here and elsewhere, in the order of those here."""
    counts = [{bar.name: (bar.fails.hits, bar.void) for bar in each.by_fault} for each in (here, elsewhere)]
    names = [name for name in dict.fromkeys([*counts[0], *counts[1]]) if name is not None]
    return [(name, *counts[0].get(name, (0, 0)), *counts[1].get(name, (0, 0))) for name in names]


def _parts(steps: Mapping[str, float], longest: float) -> list[tuple[str, float, float, float]]:
    """For a bar of the steps: name and seconds of each, and where it begins and how long it is, in per cent of the longest attempt."""
    ends = list(accumulate(steps.values(), initial=0.0))
    return [
        (name, seconds, round(100 * begin / longest, 2), round(100 * seconds / longest, 2))
        for (name, seconds), begin in zip(steps.items(), ends, strict=False)
    ]


def _type(entry: JournalEntry) -> str:
    return entry.event.on_disk.name


def _body(entry: JournalEntry) -> str:
    return _said(events.body(entry.event))


def _said(body: Mapping[str, object]) -> str:
    """As `events.js` writes it, too."""
    return ", ".join(
        f"{name} {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}" for name, value in body.items()
    )
