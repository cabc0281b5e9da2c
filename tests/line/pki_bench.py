# SPDX-License-Identifier: Apache-2.0
"""For the tests of the connection to the PKI: the development PKI, other servers, and the station's client."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from development_pki.attestation import PRODUCT_ID, VENDOR_ID, Product
from development_pki.authority import Issued, issued_by, opened
from development_pki.certificate import Credential
from development_pki.faults import Faults
from development_pki.server import ESTServer, serving, tls_context
from station.adapters.pki.enroller import AnswerUnusable, NotNow
from station.adapters.pki.est import ESTClient
from station.adapters.pki.http import Connection, Server
from station.adapters.pki.identity import IdentityFiles
from station.faults import Fault

PRODUCT = Product.numbered(0xFFF1, 0x8004)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def new_csr() -> tuple[bytes, ec.EllipticCurvePublicKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(VENDOR_ID, "FFF1"), x509.NameAttribute(PRODUCT_ID, "8004")])
    csr = x509.CertificateSigningRequestBuilder(subject).sign(key, hashes.SHA256())
    return csr.public_bytes(Encoding.DER), key.public_key()


def saved(directory: Path, name: str, credential: Credential) -> None:
    """Replaces certificate and key in `tls/`."""
    key = credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "tls" / f"{name}.pem").write_bytes(credential.certificate.public_bytes(Encoding.PEM))
    (directory / "tls" / f"{name}-key.pem").write_bytes(key)


@asynccontextmanager
async def client(
    directory: Path, url: str, connect_within: float = 200.0, reply_within: float = 200.0
) -> AsyncIterator[ESTClient]:
    """The station's client, made from its files."""
    async with Connection.opened(server_at(directory, url, connect_within, reply_within)) as connection:
        yield ESTClient(connection)


def server_at(directory: Path, url: str, connect_within: float = 200.0, reply_within: float = 200.0) -> Server:
    files = directory / "tls"
    return Server(
        url,
        IdentityFiles(files / "ca.pem", files / "station.pem", files / "station-key.pem"),
        connect_within=connect_within,
        reply_within=reply_within,
    )


@dataclass(frozen=True, slots=True)
class Served:
    """The development PKI and the station's client for it."""

    directory: Path
    faults: Faults
    est: ESTClient

    @property
    def issued(self) -> list[Issued]:
        return issued_by(self.directory)


@asynccontextmanager
async def served(directory: Path, station: Path | None = None) -> AsyncIterator[Served]:
    faults = Faults()
    with opened(directory, PRODUCT) as authority:
        server = ESTServer(authority, faults, retry_after=3)
        async with (
            serving(server, tls_context(directory), "127.0.0.1", 0) as url,
            client(station or directory, url) as est,
        ):
            yield Served(directory, faults, est)


@asynccontextmanager
async def answering(directory: Path, handler: Handler, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """A server with the right certificate whose handler answers every request."""
    application = web.Application()
    application.router.add_route("*", "/{any:.*}", handler)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0, ssl_context=tls_context(directory)).start()
        yield f"https://{host}:{runner.addresses[0][1]}/est"
    finally:
        await runner.cleanup()


async def refused(directory: Path, handler: Handler, **client_settings: float) -> AnswerUnusable | Fault | NotNow:
    """The fault of an enrolment that the server answers with this."""
    async with answering(directory, handler) as url, client(directory, url, **client_settings) as est:
        with pytest.raises((AnswerUnusable, Fault, NotNow)) as caught:
            await est.enroll(new_csr()[0])
    assert isinstance(caught.value, AnswerUnusable | Fault | NotNow)
    return caught.value


def status(number: int, text: str = "", **headers: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(
            status=number, text=text, headers={name.replace("_", "-"): each for name, each in headers.items()}
        )

    return answer
