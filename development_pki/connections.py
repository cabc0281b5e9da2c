# SPDX-License-Identifier: Apache-2.0
"""Accepts connections, and gives each the TLS, or the lack of it, that the switches ask for."""

import asyncio
import logging
import socket
import ssl
import tempfile
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from development_pki.certificate import Template
from development_pki.directory import TLS_CA, TLS_SERVER, load_credential
from development_pki.faults import Fault, Faults, Place
from development_pki.tls import TLSCredentials, server_template
from development_pki.transport import reset_when_closed

FATAL = 2
BACKLOG = 128
AGAIN_AFTER = 0.1  # when the process is short of descriptors

log = logging.getLogger("development_pki")


def server_context(directory: Path) -> ssl.SSLContext:
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


@dataclass(slots=True)
class Door:
    """One listening socket in front of an HTTP server."""

    server: web.Server
    faults: Faults
    directory: Path
    tls: ssl.SSLContext
    _spoilt: dict[Fault, ssl.SSLContext] = field(default_factory=dict)

    async def accept(self, listening: socket.socket) -> None:
        """Accepts connections until it is cancelled, which also ends those that no HTTP server has taken over."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    connection, _ = await loop.sock_accept(listening)
                except OSError as exc:
                    log.warning("cannot accept: %s", exc)
                    await asyncio.sleep(AGAIN_AFTER)
                    continue
                connection.setblocking(False)
                fault = self.faults.first(Place.CONNECTION)
                if fault is Fault.ONE_AT_A_TIME:
                    await self._serve_whole(connection)
                else:
                    group.create_task(self._welcome(connection, fault))

    async def _serve_whole(self, connection: socket.socket) -> None:
        watched = _Watched(self.server())
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: watched, connection, ssl=self.tls)
        except OSError as exc:
            log.info("a connection failed: %s", exc)
        else:
            await watched.ended.wait()

    async def _welcome(self, connection: socket.socket, fault: Fault | None) -> None:
        loop = asyncio.get_running_loop()
        try:
            match fault:
                case Fault.HALF_OPEN | Fault.TLS_ALERT | Fault.RESET_CONNECTION:
                    with connection:
                        await self._turn_away(connection, fault)
                case Fault.TLS_1_1 | Fault.CLIENT_UNKNOWN:
                    with connection:
                        await _shake_hands(connection, self._context(fault))
                case Fault.PLAIN_HTTP:
                    await loop.connect_accepted_socket(self.server, connection)
                case _:
                    await loop.connect_accepted_socket(self.server, connection, ssl=self._context(fault))
        except OSError as exc:  # ssl.SSLError too
            log.info("a connection failed: %s", exc)

    async def _turn_away(self, connection: socket.socket, fault: Fault) -> None:
        loop = asyncio.get_running_loop()
        if fault is not Fault.HALF_OPEN:
            await loop.sock_recv(connection, 65536)  # the client's hello
        if fault is Fault.RESET_CONNECTION:
            reset_when_closed(connection.fileno())
            return
        if fault is Fault.TLS_ALERT:
            alert = bytes((FATAL, int(self.faults.number(fault, "alert")) & 0xFF))
            await loop.sock_sendall(connection, b"\x15\x03\x03\x00\x02" + alert)
            await _see_off(connection)
            return
        while await loop.sock_recv(connection, 65536):  # says nothing
            pass

    def _context(self, fault: Fault | None) -> ssl.SSLContext:
        if fault is None:
            return self.tls
        if fault not in self._spoilt:
            self._spoilt[fault] = spoilt_context(self.directory, fault)
        return self._spoilt[fault]


async def _see_off(connection: socket.socket) -> None:
    """Ends a connection so that the client reads to the end: unread data would turn the end into a reset."""
    connection.shutdown(socket.SHUT_WR)
    while await asyncio.get_running_loop().sock_recv(connection, 65536):
        pass


async def _shake_hands(connection: socket.socket, context: ssl.SSLContext) -> None:
    """Ends the connection after the handshake, or with the alert by which OpenSSL refuses it: asyncio sends none."""
    loop, incoming, outgoing = asyncio.get_running_loop(), ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            refused = None
        except ssl.SSLError as exc:
            refused = exc
        else:
            break
        await loop.sock_sendall(connection, outgoing.read())
        if refused is not None:
            await _see_off(connection)
            raise refused
        if not (data := await loop.sock_recv(connection, 65536)):
            return
        incoming.write(data)
    await loop.sock_sendall(connection, outgoing.read())


def spoilt_context(directory: Path, fault: Fault) -> ssl.SSLContext:
    """The server's TLS as a switch asks for."""
    now, template = datetime.now(UTC), server_template()
    match fault:
        case Fault.TLS_1_1:
            context = server_context(directory)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # deprecated is what is wanted
                context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
            context.set_ciphers("DEFAULT:@SECLEVEL=0")  # OpenSSL 3 has TLS 1.1 at this level only
        case Fault.TLS_1_2:
            context = server_context(directory)
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        case Fault.SERVER_EXPIRED:
            context = _context_with(
                directory, replace(template, valid_from=now - timedelta(days=2), valid_until=now - timedelta(days=1))
            )
        case Fault.SERVER_MISNAMED:
            names = x509.SubjectAlternativeName([x509.DNSName("elsewhere.example")])
            more = tuple(each for each in template.more if not isinstance(each, x509.SubjectAlternativeName))
            context = _context_with(directory, replace(template, more=(*more, names)))
        case Fault.CLIENT_UNKNOWN:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(directory / f"{TLS_SERVER}.pem", directory / f"{TLS_SERVER}-key.pem")
            ca = TLSCredentials.made().ca.certificate.public_bytes(Encoding.PEM).decode()
            context.load_verify_locations(cadata=ca)
            context.verify_mode = ssl.CERT_REQUIRED
        case _:
            raise ValueError(fault)
    return context


def _context_with(directory: Path, template: Template) -> ssl.SSLContext:
    """Shows a certificate made from the template for a new key."""
    credential = load_credential(directory, TLS_CA).subordinate(template)
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:  # the ssl module loads from files only
        file.write(credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.write(credential.certificate.public_bytes(Encoding.PEM))
        file.flush()
        context = server_context(directory)
        context.load_cert_chain(file.name)
    return context


class _Watched(asyncio.Protocol):
    """Hands on to an HTTP server's protocol, and tells when the connection has ended."""

    def __init__(self, inner: web.RequestHandler) -> None:
        self._inner = inner
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> None:
        self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)
        self.ended.set()


@asynccontextmanager
async def listening(door: Door, host: str, port: int) -> AsyncIterator[int]:
    """Accepts connections for the block; yields the port. Port 0 means any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=BACKLOG) as listener:
        listener.setblocking(False)
        # No TaskGroup: it would wrap what the block raises.
        accepting = asyncio.create_task(door.accept(listener), name="door")
        try:
            yield listener.getsockname()[1]
        finally:
            accepting.cancel()
            await asyncio.wait({accepting})
    if not accepting.cancelled():
        accepting.result()  # a bug of ours, which must not be lost
