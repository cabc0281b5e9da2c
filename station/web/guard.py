# SPDX-License-Identifier: Apache-2.0
"""What holds for every answer: the names this station goes by, no other site's questions, and the headers of a page that trusts only itself."""

import json
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from station.web.models import Problem

log = structlog.get_logger()

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
HEADERS = {
    "Server": "station",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_OURS = frozenset({"none", "same-origin"})

READS = frozenset({"GET", "HEAD"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def problem(status: int, detail: str, **further: str | None) -> web.Response:
    """An error as RFC 9457 has it, with further members."""
    title = web.Response(status=status).reason or ""
    text = json.dumps({**Problem(title=title, status=status, detail=detail).model_dump(), **further})
    return web.Response(status=status, text=text, content_type="application/problem+json")


def guarding(hosts: frozenset[str] = LOOPBACK) -> Middleware:
    """Refuses foreign names, against DNS rebinding, and what another site's page asks or sends."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _name(request.host).lower() not in hosts:
            return problem(421, "this station does not go by that name")
        follows_a_link = request.method in READS and request.headers.get("Sec-Fetch-Mode") == "navigate"
        if request.headers.get("Sec-Fetch-Site", "none") not in _OURS and not follows_a_link:
            return problem(403, "another site's page may not ask this station")
        try:
            return await handler(request)
        except web.HTTPException as exc:
            answer = problem(exc.status, exc.reason)
            if "Allow" in exc.headers:
                answer.headers["Allow"] = exc.headers["Allow"]
            return answer
        except ConnectionError:  # whoever asked has gone
            raise
        except Exception:  # a bug of ours costs one answer
            log.exception("web.request_failed", method=request.method, route=_route(request))
            return problem(500, "the station has a bug here: its log says more")

    return guarded


guarded = guarding()


def _route(request: web.Request) -> str | None:
    """The path as the program has it, since what stands in its places may be secret."""
    resource = request.match_info.route.resource
    return None if resource is None else resource.canonical


async def with_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Adds the headers to an answer that is about to be sent."""
    response.headers.update(HEADERS)


def _name(host: str) -> str:
    """The host without its port."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host
