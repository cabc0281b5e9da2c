# SPDX-License-Identifier: Apache-2.0
"""The engineer's pages: numbers, attempts, units and slots, rendered here, so that they work without scripts and can be printed."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, urlencode

from aiohttp import web
from pydantic import Field

from station.adapters.ledger import events, selection
from station.adapters.ledger.reader import JournalEntry, LedgerReader
from station.adapters.ledger.selection import Selection
from station.config.problems import ConfigurationInvalid
from station.domain.numbers import Numbers
from station.faults.line import LedgerUnavailable
from station.recipe.files.limits import step_limits
from station.web.catalogue import ENTRIES
from station.web.door import Door
from station.web.guard import problem
from station.web.questions import AttemptPage, Mistaken, Nothing, Word, query_of
from station.web.templates import rendered

NEWEST = 100  # rows of a list
BOARDS = 80  # of a slot
FRESH_FOR = 5.0  # seconds, in which the same numbers are not counted again

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class AskedNumbers(Nothing):
    """Which attempts are counted."""

    since: datetime | None = None
    until: datetime | None = None
    lot: Word | None = None
    slot: Word | None = None


class AskedUnits(Nothing):
    """The UID or serial number that somebody looks for."""

    find: str = Field(default="", max_length=64)


class Pages:
    """The pages of one daemon, for whoever may read."""

    def __init__(self, door: Door, ledger: LedgerReader, recipe: Path) -> None:
        self._door = door
        self._ledger = ledger
        self._recipe = recipe
        self._counted: dict[Selection, tuple[float, Numbers]] = {}
        self._counting = asyncio.Lock()

    def add_to(self, app: web.Application) -> None:
        """Adds every page."""
        for path, handler in (
            ("/numbers", self._numbers),
            ("/attempts", self._attempts),
            ("/units", self._units),
            ("/units/{unit}", self._unit),
            ("/slots/{slot}", self._slot),
        ):
            app.router.add_get(path, _answering(handler))

    async def _numbers(self, request: web.Request) -> web.StreamResponse:
        asked = query_of(_without_blanks(request), AskedNumbers)
        wanted = Selection(since=_zoned(asked.since), until=_zoned(asked.until), lot=asked.lot, slot=asked.slot)
        found = await self._figures(wanted)
        query = urlencode({name: text for name, text in _texts(asked).items() if text})
        most = max((hour.units for hour in found.hours), default=0) or 1
        return self._page("numbers", "/numbers", found=found, asked=_texts(asked), query=query, most=most)

    async def _figures(self, wanted: Selection) -> Numbers:
        """Counted once for all who ask within some seconds: a period may have a hundred thousand attempts."""
        async with self._counting:
            at, found = self._counted.get(wanted, (-FRESH_FOR, None))
            if found is None or time.monotonic() - at > FRESH_FOR:
                found = await asyncio.to_thread(selection.numbers, self._ledger.path, wanted, self._limits())
                self._counted = {wanted: (time.monotonic(), found)}
            return found

    def _limits(self) -> Mapping[str, float]:
        try:
            return step_limits(self._recipe)
        except (ConfigurationInvalid, OSError):  # the line runs with the recipe that it has read
            return {}

    async def _attempts(self, request: web.Request) -> web.StreamResponse:
        asked = query_of(_without_blanks(request), AttemptPage)
        rows = await self._newest(asked.selection, NEWEST)
        return self._page("attempts", "/attempts", rows=rows, asked=_texts(asked))

    async def _units(self, request: web.Request) -> web.StreamResponse:
        asked = query_of(request, AskedUnits)
        if name := asked.find.strip():
            return web.Response(status=303, headers={"Location": f"/units/{quote(name, safe='')}"})
        rows = await asyncio.to_thread(lambda: list(self._ledger.units(newest=NEWEST))[::-1])
        return self._page("units", "/units", rows=rows)

    async def _unit(self, request: web.Request) -> web.StreamResponse:
        story = await asyncio.to_thread(self._ledger.unit, request.match_info["unit"])
        if story is None:
            return problem(404, "the ledger knows no such unit")
        return self._page("unit", "/units", story=story, type=_type, body=_body)

    async def _slot(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["slot"]
        if name not in self._door.marks():
            return problem(404, "the line has no such slot")
        rows = await self._newest(Selection(slot=name), BOARDS)
        return self._page("slot", "/slots", rows=rows, slot=self._door.slot(name))

    async def _newest(self, wanted: Selection, most: int) -> list[selection.AttemptRecord]:
        return await asyncio.to_thread(lambda: list(selection.attempts(self._ledger.path, wanted, newest=most)))

    def _page(self, name: str, here: str, **values: object) -> web.Response:
        about = self._door.about
        text = rendered(name, here=here, station=about.station, signs_in=about.signs_in, sentence=_sentence, **values)
        return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})


def _answering(handler: Handler) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Mistaken as exc:
            return problem(400, str(exc))
        except LedgerUnavailable as exc:
            return problem(503, str(exc))

    return answer


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


def _type(entry: JournalEntry) -> str:
    return entry.event.on_disk.name


def _body(entry: JournalEntry) -> str:
    return ", ".join(f"{name} {json.dumps(value)}" for name, value in events.body(entry.event).items())
