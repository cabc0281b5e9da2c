# SPDX-License-Identifier: Apache-2.0
"""The EST server (RFC 7030 and 8951) in front of an authority, over mutually authenticated TLS."""

import base64
import json
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID

from development_pki.authority import Authority, key_sha256
from development_pki.directory import TLS_CA, TLS_SERVER
from development_pki.faults import Fault, Faults
from development_pki.request import RequestRefused, key_to_certify

EST = "/.well-known/est"
MAX_BODY = 16 * 1024
UNRECOGNISED = """\
This PKI serves stations that show a client certificate it trusts, and this connection showed none.
Configure the certificate and key of tls/station.pem and tls/station-key.pem.
"""

log = logging.getLogger("development_pki")


def tls_context(directory: Path) -> ssl.SSLContext:
    """Trusts the directory's TLS authority and nothing else.

    A certificate of any other authority ends the handshake. A client without a certificate completes it, so that the
    handler can answer with the reason: with CERT_REQUIRED the station would only see its connection reset.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=directory / f"{TLS_CA}.pem")
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_cert_chain(directory / f"{TLS_SERVER}.pem", directory / f"{TLS_SERVER}-key.pem")
    return context


@dataclass(frozen=True, slots=True)
class ESTServer:
    """The HTTP handlers of one authority."""

    authority: Authority
    faults: Faults
    retry_after: int
    date_offset: timedelta = timedelta()
    """Difference between the time in answers and this computer's clock."""

    def application(self) -> web.Application:
        """Mounts EST with and without a label (RFC 7030, 3.2.2), and the fault switches."""
        application = web.Application(client_max_size=MAX_BODY, middlewares=[self.admit])
        application.on_response_prepare.append(self.tell_time)
        for path in (EST, EST + "/{label}"):
            application.router.add_get(f"{path}/cacerts", self.cacerts)
            application.router.add_get(f"{path}/csrattrs", self.csrattrs)
            application.router.add_post(f"{path}/simpleenroll", self.simpleenroll)
        application.router.add_get("/fault", self.show_faults)
        application.router.add_post("/fault", self.set_faults)
        return application

    @web.middleware
    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuses clients without a station's certificate, and all clients while the authority is down."""
        _station_of(request)
        if request.path.startswith(EST) and self.faults.strikes(Fault.DOWN):
            return _cut(request)
        return await handler(request)

    async def tell_time(self, _: web.Request, response: web.StreamResponse) -> None:
        """Gives every answer a date (RFC 9110, 6.6.1)."""
        response.headers["Date"] = format_datetime(datetime.now(UTC) + self.date_offset, usegmt=True)

    async def cacerts(self, _: web.Request) -> web.Response:
        """Answers with PAI and PAA, in any order."""
        return _certs_only(self.authority.pai.certificate, self.authority.paa)

    async def csrattrs(self, _: web.Request) -> web.Response:
        """Answers that requests need no particular attributes (RFC 7030, 4.5.2)."""
        return web.Response(status=204)

    async def simpleenroll(self, request: web.Request) -> web.Response:
        """Issues a DAC for the request in the body: a new one at every call, like a real authority."""
        station = _station_of(request)
        if request.content_type != "application/pkcs10":
            raise web.HTTPBadRequest(text="The content type is not application/pkcs10.\n")
        try:
            public_key = key_to_certify(await request.read(), self.authority.product)
        except RequestRefused as exc:
            log.warning("refused a request of %s: %s", station, exc)
            raise web.HTTPBadRequest(text=f"{exc}\n") from exc
        for fault, status in ((Fault.PENDING, 202), (Fault.BUSY, 503)):
            if self.faults.strikes(fault):
                return web.Response(status=status, headers={"Retry-After": str(self.retry_after)})

        dac = self.authority.issue(public_key, station, self.faults)
        log.info("issued %X to %s for the key %s", dac.serial_number, station, key_sha256(dac))
        if self.faults.strikes(Fault.DROP_AFTER_ISSUE):
            return _cut(request)
        if self.faults.strikes(Fault.GARBAGE):
            return _base64_answer(b"This is not a certificate.")
        return _certs_only(dac)

    async def show_faults(self, _: web.Request) -> web.Response:
        """Answers how many more times each fault will happen."""
        return web.json_response(self.faults.left)

    async def set_faults(self, request: web.Request) -> web.Response:
        """Sets faults from a JSON object of names and numbers."""
        try:
            self.faults.set(json.loads(await request.read()))
        except (ValueError, TypeError) as exc:
            raise web.HTTPBadRequest(text=f"{exc}\n") from exc
        log.info("faults: %s", self.faults)
        return web.json_response(self.faults.left)


def _station_of(request: web.Request) -> str:
    connection: ssl.SSLObject = request.get_extra_info("ssl_object")
    der = connection.getpeercert(binary_form=True)
    if der is None:
        # An unregistered scheme, since HTTP requires this header with a 401 although no header of the client would
        # help.
        raise web.HTTPUnauthorized(text=UNRECOGNISED, headers={"WWW-Authenticate": "ClientCertificate"})
    subject = x509.load_der_x509_certificate(der).subject
    return ", ".join(str(name.value) for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME))


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()  # no client gets this answer


def _certs_only(*certificates: x509.Certificate) -> web.Response:
    return _base64_answer(pkcs7.serialize_certificates(list(certificates), Encoding.DER))


def _base64_answer(der: bytes) -> web.Response:
    # One line, since some clients refuse a wrapped answer, and none refuses this.
    return web.Response(
        body=base64.b64encode(der),
        headers={
            "Content-Type": "application/pkcs7-mime; smime-type=certs-only",
            "Content-Transfer-Encoding": "base64",
        },
    )


@asynccontextmanager
async def serving(est: ESTServer, tls: ssl.SSLContext, host: str, port: int) -> AsyncIterator[str]:
    """Serves for the block; yields the URL for the station's configuration. Port 0 means any free port."""
    runner = web.AppRunner(est.application(), handle_signals=False, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
        bound = runner.addresses[0][1]
        yield f"https://{f'[{host}]' if ':' in host else host}:{bound}{EST}"
    finally:
        await runner.cleanup()
