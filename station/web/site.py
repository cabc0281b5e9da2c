# SPDX-License-Identifier: Apache-2.0
"""The HTTP server: its routes, and how it comes up, stays up and goes down without ever stopping the line."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from ipaddress import ip_address

import structlog
from aiohttp import web
from aiohttp.http import HttpProcessingError
from pydantic import BaseModel

from station.config.web_section import as_host, parted
from station.domain.issuance import EXPIRES_SOON
from station.web import assets, taking
from station.web.acceptor import Acceptor, bound
from station.web.assets import Asset
from station.web.certificate import Certificate
from station.web.door import Door
from station.web.guard import LOOPBACK, guarding, problem, with_headers
from station.web.hub import Hub
from station.web.models import Health
from station.web.questions import LONGEST_WORD
from station.web.reading import ADMISSION, Reading
from station.web.sign_in import SignIn

log = structlog.get_logger()

LARGEST_BODY = 64 * 1024
CLOSED_WITHIN = 1.0
LOOK_EVERY = 60.0  # seconds between two looks at the files of the certificate, besides those at each connection
AGAIN_AFTER = 5.0  # seconds, where the address is taken or the server has failed


def _is_no_nonsense(record: logging.LogRecord) -> bool:
    """False for a request that is no HTTP: whoever sends it gets 400, and neither fills the log nor puts its words there, which may be secret."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


logging.getLogger("aiohttp.server").addFilter(_is_no_nonsense)

Routes = Callable[[web.Application], None]
"""Adds routes to the page's application."""


class Site:
    """Serves the page at `listen`, an address with a port, under the names in `hosts` besides this PC's own.

    With a certificate it speaks TLS; with `reading` it answers only those who may read.
    """

    def __init__(
        self,
        door: Door,
        listen: str,
        hosts: Iterable[str] = (),
        certificate: Callable[[], Certificate] | None = None,
        reading: Reading | None = None,
        hsts_days: int = 0,
    ) -> None:
        self._door = door
        self._address = parted(listen)
        here = ip_address(self._address[0])
        names = (
            {*hosts} if here.is_unspecified else {as_host(str(here)), *hosts}
        )  # no browser calls a PC by "every address"
        self._hosts = LOOPBACK | names
        self._open_certificate = certificate
        self._reading = reading
        self._hsts_days = hsts_days
        self.certificate: Certificate | None = None
        """The page's own, while it is served over TLS."""
        self._assets = assets.load(door.about.language)
        self.hub = Hub(door, self._assets.version)
        self.url: str | None = None
        """Where the page is; None while it is not served."""
        self.reason: str | None = None
        """Why it is not served."""
        self.further: list[Routes] = []

    async def run(self) -> None:
        """Serves until it is cancelled. A taken address or a bug of ours costs the page, never the line: it comes back by itself."""
        while True:
            try:
                await self._serve()
            except OSError as exc:
                if str(exc) != self.reason:  # once, not every few seconds
                    log.warning("web.unavailable", reason=str(exc))
                self.reason = str(exc)
            except Exception as exc:  # the line's tasks stand in the same group, and the line works on without its page
                self.reason = type(exc).__name__
                log.exception("web.failed")
            await asyncio.sleep(AGAIN_AFTER)

    async def _serve(self) -> None:
        self.hub = Hub(self._door, self._assets.version)
        runner = web.AppRunner(
            self.application(), handle_signals=False, access_log=None, shutdown_timeout=CLOSED_WITHIN
        )
        self.certificate = None if self._open_certificate is None else self._open_certificate()
        tls = None if self.certificate is None else self.certificate.context
        await runner.setup()
        try:
            with bound(*self._address) as listening:
                host, port = listening.getsockname()[:2]
                self.url, self.reason = f"{'https' if tls else 'http'}://{as_host(host)}:{port}/", None
                log.info("web.opened", url=self.url)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self.hub.watch(), name="page")
                    group.create_task(self.hub.read_lot(), name="page's lot")
                    group.create_task(self.hub.read_plans(), name="page's plans")
                    if self.certificate is not None:
                        group.create_task(_look_after(self.certificate), name="page's certificate")
                    if runner.server is not None:
                        accepting = Acceptor(runner.server, tls, only_here=self._reading is None).run(listening)
                        group.create_task(accepting, name="page's connections")
        finally:
            self.url = None
            self.hub.close()
            await runner.cleanup()

    def application(self) -> web.Application:
        """The routes."""
        admitted = [] if self._reading is None else [self._reading.admitted]
        app = web.Application(middlewares=[guarding(self._hosts), *admitted], client_max_size=LARGEST_BODY)
        app.on_response_prepare.append(with_headers)
        if self._hsts_days:
            app.on_response_prepare.append(self._with_hsts)
        if self._reading is not None:
            SignIn(self._reading, self._door.about).add_to(app)
        app.router.add_get("/", self._page)
        app.router.add_get("/assets/{name:.+}", self._asset)
        app.router.add_get("/api/v1/stream", self._stream, allow_head=False)  # it has no end, and so no head alone
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        for add in self.further:
            add(app)
        return app

    async def _with_hsts(self, _request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Strict-Transport-Security"] = f"max-age={self._hsts_days * 86_400}"

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return _answered(request, self._assets.page)

    async def _asset(self, request: web.Request) -> web.StreamResponse:
        asset = self._assets.files.get(request.match_info["name"])
        return problem(404, "the page has no such file") if asset is None else _answered(request, asset)

    async def _healthz(self, _request: web.Request) -> web.StreamResponse:
        return _as_json(Health(ok=True, checks={"loop": "ok"}))  # an answer is the proof: the loop turns

    async def _readyz(self, _request: web.Request) -> web.StreamResponse:
        health = self._door.ready()
        if self.certificate is not None:  # told, and no reason against the line
            days = self.certificate.days
            text = "ok" if days >= EXPIRES_SOON else f"expires in {days} days" if days >= 0 else "has expired"
            health = health.model_copy(update={"checks": {**health.checks, "page's certificate": text}})
        return _as_json(health, 200 if health.ok else 503)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """The line's events, until the listener goes away or does not keep up."""
        if unknown := set(request.query) - {"after"}:
            return problem(400, f"{min(unknown)[:LONGEST_WORD]} is not known here; there are: after")
        if self.hub.full:
            return problem(503, "too many pages are open")
        admission = request.get(ADMISSION)
        known = request.query.get("after") or request.headers.get("Last-Event-ID")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        if request.transport is None:  # gone already
            return response
        took = taking.Taking(request.transport)
        with self.hub.listening(known, lambda: _cut(request)) as listener:
            try:
                while (frames := await listener.next()) is not None and (admission is None or admission.still()):
                    if not await _in_time(response, frames, took):
                        log.info("web.listener_dropped")
                        _cut(request)
                        break
            except OSError:  # the browser has gone, or was dropped
                pass
        return response


async def _look_after(certificate: Certificate) -> None:
    """Takes up changed files and warns of an old certificate, also while nobody opens the page."""
    while True:
        certificate.look()
        await asyncio.sleep(LOOK_EVERY)


async def _in_time(response: web.StreamResponse, frames: bytes, took: taking.Taking) -> bool:
    """Sends the events. False if they, or some before them, stay on their way so long that their beats would vouch for the past."""
    try:
        async with asyncio.timeout(taking.LATE_AFTER):
            await response.write(frames)
    except TimeoutError:
        return False
    return not took.is_late()


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _answered(request: web.Request, asset: Asset) -> web.Response:
    """The file, or word that the browser's copy is still right."""
    etag = f'"{asset.etag}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=asset.content, content_type=asset.media_type, charset="utf-8", headers=headers)


def _as_json(model: BaseModel, status: int = 200) -> web.Response:
    text = model.model_dump_json()
    return web.Response(
        text=text, status=status, content_type="application/json", headers={"Cache-Control": "no-store"}
    )
