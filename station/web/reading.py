# SPDX-License-Identifier: Apache-2.0
"""Who may read where other PCs reach the page: a browser whose person has signed in, and whoever sends a token.

The browser's cookie lets it read. It authorises no change, since only what reads is answered for it at all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

import structlog
from aiohttp import web

from station.adapters.system.people_file import PeopleUnusable
from station.domain.people import Person
from station.web.guard import READS, Handler, problem
from station.web.pins import PINs
from station.web.sessions import Tokens

log = structlog.get_logger()

COOKIE = "__Host-station"  # the prefix: browsers take it over TLS only, for the whole host, and from no neighbour of it
SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
MOST = 1024  # browsers at once; the one that signed in first goes
LONGEST_NEXT = 512

_OPEN = frozenset({("GET", "/healthz"), ("HEAD", "/healthz")})  # which show nothing of the line
_BUYS_A_TOKEN = "POST", "/api/v1/sessions"  # asks for a PIN itself
_OF_PROGRAMS = ("/api/", "/metrics", "/readyz")


@dataclass(frozen=True, slots=True)
class Admission:
    """Somebody was let in. `still` says whether it may go on reading, and waits for nothing: a stream asks it each second."""

    still: Callable[[], bool]


ADMISSION = web.RequestKey("admission", Admission)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person, and when `station people` added it: one of the same name who was added later is somebody else."""

    person: Person
    since: datetime


class Reading:
    """The browsers that are signed in, for `hours`."""

    def __init__(self, pins: PINs, hours: float) -> None:
        self.pins = pins
        self._tokens: Tokens[SignedIn] = Tokens(3600 * hours, MOST, clock=pins.clock)

    @property
    def seconds(self) -> float:
        """For so long a cookie is good."""
        return self._tokens.seconds

    def admit(self, person: Person) -> str | None:
        """A new cookie for a person; None if it was removed at this moment. Raises `PeopleUnusable`."""
        since = self.pins.people.since().get(person)
        return None if since is None else self._tokens.open(SignedIn(person, since))

    def signed_in(self, request: web.Request) -> tuple[Person, float] | None:
        """Who has signed in at this browser, and for how many seconds more."""
        cookie = request.cookies.get(COOKIE, "")
        holder = self._holder(cookie)
        return None if holder is None else (holder.person, self._tokens.left(cookie))

    def end(self, request: web.Request) -> Person | None:
        """Ends what the browser's cookie stands for, and gives its person."""
        cookie = request.cookies.get(COOKIE, "")
        holder = self._tokens.holder(cookie)
        self._tokens.close(cookie)
        return None if holder is None else holder.person

    @web.middleware
    async def admitted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answers whoever may read; the others are told where to sign in."""
        path = request.path
        if (request.method, path) in _OPEN or path in {SIGN_IN, SIGN_OUT} or path.startswith("/assets/"):
            return await handler(request)
        try:
            self.pins.people.since()
            if (request.method, path) == _BUYS_A_TOKEN:
                return await handler(request)
            admission = await self._admission(request)
        except PeopleUnusable as exc:  # whose path is nothing for a stranger
            log.warning("web.people_unusable", reason=str(exc))
            return problem(503, "the station cannot tell who may read: see its log")
        if admission is None:
            return _refused(request)
        request[ADMISSION] = admission
        return await handler(request)

    async def _admission(self, request: web.Request) -> Admission | None:
        """None if this request's sender may not read, or wants a change and has nothing but a cookie."""
        authorization = request.headers.get("Authorization")
        if authorization is None:
            cookie = request.cookies.get(COOKIE, "")
            admitted = request.method in READS and self._holder(cookie) is not None
            return Admission(lambda: self._holder(cookie) is not None) if admitted else None
        person = await self.pins.bearer(authorization)
        since = self.pins.people.since().get(person) if person is not None else None
        if person is None or since is None:
            return None
        known, token, sessions = SignedIn(person, since), authorization.partition(" ")[2], self.pins.sessions
        if sessions.person(token) is None:  # a program's, which has no end
            return Admission(lambda: self._is_known(known))
        return Admission(lambda: sessions.person(token) == person and self._is_known(known))

    def _holder(self, cookie: str) -> SignedIn | None:
        holder = self._tokens.holder(cookie)
        return holder if holder is not None and self._is_known(holder) else None

    def _is_known(self, holder: SignedIn) -> bool:
        try:
            return self.pins.people.since().get(holder.person) == holder.since
        except PeopleUnusable:  # nobody is let in by a file that others may have written
            return False


def _refused(request: web.Request) -> web.Response:
    if request.method in READS and not request.path.startswith(_OF_PROGRAMS):
        path = local(request.path_qs)
        target = SIGN_IN if path == "/" else f"{SIGN_IN}?{urlencode({'next': path})}"
        return web.Response(status=303, headers={"Location": target, "Cache-Control": "no-store"})
    answer = problem(
        401,
        f"reading needs a browser that has signed in at {SIGN_IN}, or a token sent as Authorization: Bearer; changes need a token",
    )
    answer.headers["WWW-Authenticate"] = "Bearer"
    answer.headers["Cache-Control"] = "no-store"
    return answer


def local(path: str) -> str:
    """The path, if it is one of this site; else that of the operator's page. What browsers take for another host is none."""
    plain = path.isascii() and path.isprintable() and not set(path) & set(' \\"<>')
    return path if plain and path.startswith("/") and not path.startswith("//") and len(path) <= LONGEST_NEXT else "/"
