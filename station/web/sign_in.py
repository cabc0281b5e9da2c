# SPDX-License-Identifier: Apache-2.0
"""The page on which somebody signs in to read, and out again; it works without scripts."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from aiohttp import web

from station.adapters.system.people_file import PeopleUnusable
from station.web.assets import LANGUAGES
from station.web.door import About
from station.web.guard import problem
from station.web.questions import LONGEST_WORD
from station.web.reading import COOKIE, SIGN_IN, SIGN_OUT, Reading, local
from station.web.sessions import Delayed
from station.web.templates import rendered

log = structlog.get_logger()

WORDS: Mapping[str, Mapping[str, str]] = json.loads(
    Path(__file__).with_name("sign_in_words.json").read_text(encoding="utf-8")
)
FORM = "application/x-www-form-urlencoded"


class SignIn:
    """Signs people in to read the page. A wrong PIN costs the same delay as anywhere."""

    def __init__(self, reading: Reading, about: About) -> None:
        self._reading = reading
        self._about = about

    def add_to(self, app: web.Application) -> None:
        """Adds the routes."""
        app.router.add_get(SIGN_IN, self._ask)
        app.router.add_post(SIGN_IN, self._sign_in)
        app.router.add_post(SIGN_OUT, self._sign_out)

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        return self._page(request, request.query)

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        if not _is_our_form(request):
            return problem(403, "only the station's own page signs somebody in")
        asked = {name: text for name, text in (await request.post()).items() if isinstance(text, str)}
        address = request.remote or ""
        try:
            person = await self._reading.pins.owner(asked.get("pin", "")[: LONGEST_WORD + 1].strip(), address)
            cookie = None if person is None else self._reading.admit(person)
        except Delayed as exc:
            seconds = int(exc.seconds) + 1
            answer = self._page(request, asked, 429, "wait", seconds=str(seconds))
            answer.headers["Retry-After"] = str(seconds)
            return answer
        except PeopleUnusable as exc:
            log.warning("web.people_unusable", reason=str(exc))
            return self._page(request, asked, 503, "unusable")
        if person is None or cookie is None:
            return self._page(request, asked, 403, "wrong")
        self._reading.end(request)  # the browser's former cookie, whoever gave it to the browser
        log.info("web.signed_in", who=person.name, role=person.role.value, address=address)
        answer = _sent_to(local(asked.get("next", "/")))
        seconds = int(self._reading.seconds)
        answer.set_cookie(COOKIE, cookie, path="/", max_age=seconds, secure=True, httponly=True, samesite="Strict")
        return answer

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        if not _is_our_form(request):
            return problem(403, "only the station's own page signs somebody out")
        if (person := self._reading.end(request)) is not None:
            log.info("web.signed_out", who=person.name, address=request.remote or "")
        answer = _sent_to(SIGN_IN)
        answer.del_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Strict")
        return answer

    def _page(
        self, request: web.Request, asked: Mapping[str, str], status: int = 200, told: str | None = None, **said: str
    ) -> web.Response:
        language = asked.get("lang") if asked.get("lang") in LANGUAGES else self._about.language
        words = WORDS[language or "en"]
        signed_in = self._reading.signed_in(request)
        if signed_in is not None:
            person, seconds = signed_in
            until = f"{datetime.now().astimezone() + timedelta(seconds=seconds):%Y-%m-%d %H:%M}"
            said |= {"name": person.name, "until": until}
        text = rendered(
            "sign_in",
            station=self._about.station,
            language=language,
            languages={each: WORDS[each]["language"] for each in LANGUAGES},
            words=words,
            next=local(asked.get("next", "/")),
            told=None if told is None else words[told].format(**said),
            signed_in=None if signed_in is None else words["signed_in"].format(**said),
        )
        headers = {"Cache-Control": "no-store", "Content-Language": language or "en"}
        return web.Response(text=text, status=status, content_type="text/html", headers=headers)


def _is_our_form(request: web.Request) -> bool:
    """Whether the station's own page sends this form; a browser that does not tell the site tells the origin."""
    if request.content_type != FORM:
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("Origin")
    return origin is None or origin == str(request.url.origin())


def _sent_to(path: str) -> web.Response:
    return web.Response(status=303, headers={"Location": path, "Cache-Control": "no-store"})
