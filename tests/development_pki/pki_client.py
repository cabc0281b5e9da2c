# SPDX-License-Identifier: Apache-2.0
"""For the tests of the development PKI: certificate requests, and a client that is not the station's."""

import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from development_pki.attestation import PRODUCT_ID, VENDOR_ID, Product
from development_pki.authority import Issued, issued_by, opened
from development_pki.directory import TLS_CA, TLS_STATION
from development_pki.faults import Faults
from development_pki.server import ESTServer, serving, tls_context

PRODUCT = Product.numbered(0xFFF1, 0x8004)
SUBJECT = ((VENDOR_ID, PRODUCT.vendor_id), (PRODUCT_ID, PRODUCT.product_id))


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def csr(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
    *subject: tuple[x509.ObjectIdentifier, str],
    signed_with: hashes.SHA256 | hashes.SHA384 | None = None,
) -> bytes:
    """A PKCS#10 request in DER, as a board makes it, with optional changes."""
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in subject or SUBJECT])
    request = x509.CertificateSigningRequestBuilder(name).sign(key, signed_with or hashes.SHA256())
    return request.public_bytes(Encoding.DER)


@dataclass(frozen=True, slots=True)
class Client:
    """A station's connection to a development PKI that runs in this process."""

    directory: Path
    url: str
    session: aiohttp.ClientSession
    faults: Faults

    @property
    def issued(self) -> list[Issued]:
        return issued_by(self.directory)

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(self.url + path) as answer:
            return answer.status, await answer.text()

    async def enrol(self, body: bytes, content_type: str = "application/pkcs10") -> tuple[int, str]:
        headers = {"Content-Type": content_type}
        async with self.session.post(f"{self.url}/simpleenroll", data=body, headers=headers) as answer:
            return answer.status, await answer.text()

    async def dac(self, request: bytes) -> x509.Certificate:
        """The only certificate in the answer to an enrolment."""
        status, text = await self.enrol(base64.encodebytes(request))
        assert status == 200, text
        (certificate,) = certificates(text)
        return certificate

    async def set_faults(self, body: object) -> tuple[int, str]:
        async with self.session.post(self.url.partition("/.well-known")[0] + "/fault", data=json.dumps(body)) as answer:
            return answer.status, await answer.text()


def certificates(answer: str) -> list[x509.Certificate]:
    return pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer, validate=True))


def client_context(ca: Path, certificate: Path | None = None) -> ssl.SSLContext:
    """Trusts one CA; shows a certificate, if there is one, with the key beside it."""
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # Debian's Python sets none
    if certificate is not None:
        context.load_cert_chain(certificate, certificate.with_name(f"{certificate.stem}-key.pem"))
    return context


@asynccontextmanager
async def connected(
    directory: Path,
    *,
    certificate: Path | None = None,
    anonymous: bool = False,
    date_offset: timedelta = timedelta(),
) -> AsyncIterator[Client]:
    """Serves the directory and connects to it, with its station's certificate, another, or none."""
    shown = None if anonymous else certificate or directory / f"{TLS_STATION}.pem"
    faults = Faults()
    with opened(directory, PRODUCT) as authority:
        server = ESTServer(authority, faults, 7, date_offset)
        async with serving(server, tls_context(directory), "127.0.0.1", 0) as url:
            connector = aiohttp.TCPConnector(ssl=client_context(directory / f"{TLS_CA}.pem", shown))
            async with aiohttp.ClientSession(connector=connector) as session:
                yield Client(directory, url, session, faults)
