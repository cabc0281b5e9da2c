# SPDX-License-Identifier: Apache-2.0
"""The EST server (RFC 7030 and 8951) in front of an authority, over mutually authenticated TLS."""

import functools
import json
import logging
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler
from cryptography import x509
from cryptography.x509.oid import NameOID

from development_pki.answers import (
    Answer,
    Made,
    certs_only,
    refusal,
    subject_taken,
    with_certificates,
    with_head,
)
from development_pki.authority import Authority, key_sha256
from development_pki.connections import Door, listening, server_context
from development_pki.faults import REACH, Fault, Faults, Place
from development_pki.lists import Fate, text_of
from development_pki.request import RequestRefused, wanted
from development_pki.transport import Delivered, deliver, hang, reset, send

EST = "/.well-known/est"
ENROL = "/simpleenroll"
MAX_BODY = 16 * 1024
UNRECOGNISED = """\
This PKI serves stations that show a client certificate it trusts, and this connection showed none.
Configure the certificate and key of tls/station.pem and tls/station-key.pem.
"""

log = logging.getLogger("development_pki")


def tls_context(directory: Path) -> ssl.SSLContext:
    """The server's TLS while no switch spoils it."""
    return server_context(directory)


@dataclass(slots=True)
class _Enrolment:
    """What is known of a request so far."""

    station: x509.Certificate
    name: str
    came: float = field(default_factory=time.time)
    number: int | None = None
    issued: bool = False


@dataclass(frozen=True, slots=True)
class ESTServer:
    """The HTTP handlers of one authority."""

    authority: Authority
    faults: Faults
    retry_after: float
    date_offset: timedelta = timedelta()
    """Difference between the time in answers and this computer's clock."""
    busy: set[web.RequestHandler] = field(default_factory=set)
    leaving: set[web.RequestHandler] = field(default_factory=set)
    """Connections which answer a request just now, and those among them which end after it."""

    def application(self) -> web.Application:
        """Mounts EST with and without a label (RFC 7030, 3.2.2), and the fault switches."""
        application = self.switches()
        for path in (EST, EST + "/{label}"):
            application.router.add_get(f"{path}/cacerts", self.cacerts)
            application.router.add_get(f"{path}/csrattrs", self.csrattrs)
            application.router.add_post(f"{path}{ENROL}", self.simpleenroll)
        return application

    def switches(self) -> web.Application:
        """Mounts the fault switches alone."""
        application = web.Application(client_max_size=MAX_BODY, middlewares=[self.admit])
        application.on_response_prepare.append(self.finish_head)
        application.router.add_get("/fault", self.show_faults)
        application.router.add_post("/fault", self.set_faults)
        return application

    @web.middleware
    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuses clients without a station's certificate, and all clients while the authority is down."""
        self.busy.add(request.protocol)
        try:
            response = await self._admitted(request, handler)
            if request.protocol in self.leaving and not response.prepared:
                response.force_close()  # which the answer's head tells
            return response
        finally:
            self.busy.discard(request.protocol)
            if request.protocol in self.leaving:
                self.leaving.discard(request.protocol)
                request.protocol.close()  # after the answer

    async def _admitted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        _station_of(request)
        if request.path.startswith(EST):
            if self.faults.strikes(Fault.DOWN):
                return reset(request)
            if not request.path.endswith(ENROL) and (fault := self._refusal_everywhere()):
                return (await send(request, self._refusal(fault, request)))[0]
        return await handler(request)

    async def finish_head(self, _: web.Request, response: web.StreamResponse) -> None:
        """Gives every answer a date (RFC 9110, 6.6.1), and takes an empty content type away."""
        response.headers["Date"] = format_datetime(datetime.now(UTC) + self.date_offset, usegmt=True)
        if not response.headers.get("Content-Type"):
            response.headers.popall("Content-Type", None)

    async def cacerts(self, request: web.Request) -> web.StreamResponse:
        """Answers with PAI and PAA, in any order."""
        served = [self.authority.pai.certificate, self.authority.paa]
        match self.faults.first(Place.AUTHORITIES):
            case Fault.CACERTS_OTHER_PAI:
                served = [self.authority.other_pai.certificate, self.authority.paa]
            case Fault.CACERTS_WITHOUT_PAI:
                served = [self.authority.paa]
            case Fault.CACERTS_EMPTY:
                served = []
            case _:
                pass
        return (await send(request, certs_only(*served)))[0]

    async def csrattrs(self, _: web.Request) -> web.Response:
        """Answers that requests need no particular attributes (RFC 7030, 4.5.2)."""
        return web.Response(status=204)

    async def simpleenroll(self, request: web.Request) -> web.StreamResponse:
        """Issues a DAC for the request in the body: a new one at every call, like a real authority."""
        station = _station_of(request)
        enrolment = _Enrolment(station, _name_of(station))
        status: int | None = None
        fate = Fate.LOST
        try:
            response, status, fate = await self._enrol(request, enrolment)
        except web.HTTPException as exc:
            status, fate = exc.status, Fate.REFUSED
            raise
        except ConnectionError:
            return web.Response()  # no client gets this answer
        finally:
            if enrolment.number is None:
                enrolment.number = self._came(enrolment, None)
            if not enrolment.issued:
                fate = Fate.REFUSED
            self.authority.lists.request_ended(enrolment.number, status, fate)
        return response

    async def _enrol(self, request: web.Request, enrolment: _Enrolment) -> Delivered:
        lenient = self.faults.strikes(Fault.LENIENT)
        if request.content_type != "application/pkcs10" and not lenient:
            raise web.HTTPBadRequest(text="The content type is not application/pkcs10.\n")
        try:
            asked = wanted(await request.read(), self.authority.asked, lenient=lenient)
        except RequestRefused as exc:
            log.warning("refused a request of %s: %s", enrolment.name, exc)
            raise web.HTTPBadRequest(text=f"{exc}\n") from exc
        key = key_sha256(asked.key)
        enrolment.number = self._came(enrolment, key)
        if refused := self.faults.first(Place.REFUSAL):
            return await self._refused(request, refused)
        subject = text_of(asked.subject)
        if subject in self.authority.lists.requested_subjects and self.faults.strikes(Fault.UNIQUE_SUBJECT):
            return await send(request, subject_taken(subject, self.faults))

        form, dacs = self.faults.first(Place.FORM), []
        for _ in range(2 if form is Fault.TWO_CERTIFICATES else 1):
            dac = self.authority.issue(asked.key, enrolment.name, self.faults, enrolment.number, asked.subject)
            enrolment.issued = True
            dacs.append(dac)
            log.info("issued %X to %s for the key %s", dac.serial_number, enrolment.name, key)
        made = Made(dacs, self.authority.pai.certificate, self.authority.paa)
        answer = with_head(with_certificates(form, self.faults, made), self.faults)
        return await deliver(request, answer, self.faults.first(Place.DELIVERY), self.faults)

    async def _refused(self, request: web.Request, fault: Fault) -> Delivered:
        if fault is Fault.HANG:
            await hang()
        if fault is Fault.RESET:
            return reset(request), None, Fate.REFUSED
        return await send(request, self._refusal(fault, request))

    def _refusal(self, fault: Fault, request: web.Request) -> Answer:
        return refusal(fault, self.faults, self.retry_after, request.path)

    def _refusal_everywhere(self) -> Fault | None:
        """The first refusal that is set for every EST request."""
        everywhere = (
            fault for fault in Fault if fault.parameters is REACH and self.faults.word(fault, "at") == "everywhere"
        )
        return next((fault for fault in everywhere if self.faults.strikes(fault)), None)

    def _came(self, enrolment: _Enrolment, key: str | None) -> int:
        return self.authority.lists.request_came(enrolment.came, enrolment.station, enrolment.name, key)

    def end_connections(self, server: web.Server) -> None:
        """Ends idle connections at once and the others after their answer, since a switch strikes new ones only."""
        for connection in server.connections:
            if connection in self.busy:
                self.leaving.add(connection)
            else:
                connection.force_close()

    async def show_faults(self, _: web.Request) -> web.Response:
        """Answers how often each fault will still happen, how often it has happened, and its parameters."""
        return web.json_response(self.faults.shown)

    async def set_faults(self, request: web.Request) -> web.Response:
        """Sets faults from a JSON object of names and numbers, or of names and tables."""
        try:
            self.faults.set(json.loads(await request.read()))
        except (ValueError, TypeError) as exc:
            raise web.HTTPBadRequest(text=f"{exc}\n") from exc
        log.info("faults: %s", self.faults)
        return web.json_response(self.faults.shown)


def _station_of(request: web.Request) -> x509.Certificate:
    connection: ssl.SSLObject | None = request.get_extra_info("ssl_object")
    der = connection.getpeercert(binary_form=True) if connection is not None else None
    if der is None:
        # An unregistered scheme, since HTTP requires this header with a 401 although no header of the client would
        # help.
        raise web.HTTPUnauthorized(text=UNRECOGNISED, headers={"WWW-Authenticate": "ClientCertificate"})
    return x509.load_der_x509_certificate(der)


def _name_of(station: x509.Certificate) -> str:
    return ", ".join(str(name.value) for name in station.subject.get_attributes_for_oid(NameOID.COMMON_NAME))


@asynccontextmanager
async def serving(est: ESTServer, tls: ssl.SSLContext, host: str, port: int) -> AsyncIterator[str]:
    """Serves for the block; yields the URL for the station's configuration. Port 0 means any free port."""
    runner = _runner(est.application())
    await runner.setup()
    assert runner.server is not None
    end_connections = functools.partial(est.end_connections, runner.server)
    est.faults.watchers.append(end_connections)
    try:
        door = Door(runner.server, est.faults, est.authority.directory, tls)
        async with listening(door, host, port) as bound:
            yield f"https://{_in_url(host)}:{bound}{EST}"
    finally:
        est.faults.watchers.remove(end_connections)
        await runner.cleanup()


@asynccontextmanager
async def controlled(est: ESTServer, tls: ssl.SSLContext, host: str) -> AsyncIterator[str]:
    """Serves the switches alone, at a port that none of them spoils; yields the URL."""
    runner = _runner(est.switches())
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0, ssl_context=tls).start()
        yield f"https://{_in_url(host)}:{runner.addresses[0][1]}/fault"
    finally:
        await runner.cleanup()


def _runner(application: web.Application) -> web.AppRunner:
    # A handler that hangs, or sends without end, ends with its connection.
    return web.AppRunner(
        application, handle_signals=False, access_log=None, shutdown_timeout=1, handler_cancellation=True
    )


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
