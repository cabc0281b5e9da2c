# SPDX-License-Identifier: Apache-2.0
"""A time-stamping authority (RFC 3161) on this machine: OpenSSL's answers over HTTP, and whatever else may come instead."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

QUERY = "application/timestamp-query"
CONFIGURATION = """[tsa]
default_tsa = authority
[authority]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
ess_cert_id_alg = sha256
"""
REFUSAL = bytes.fromhex("30053003020102")  # status 2, rejection, without a token


class Signer:
    """Files of an authority: its root, and its certificate and key, as `openssl ts` wants them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.ca = folder / "ca.pem"
        root, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        self.ca.write_bytes(_certificate("Root", root, root).public_bytes(Encoding.PEM))
        (folder / "tsa.pem").write_bytes(_certificate("Authority", key, root).public_bytes(Encoding.PEM))
        (folder / "tsa.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=folder))

    def answer(self, question: bytes) -> bytes:
        (self.folder / "question").write_bytes(question)
        command = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "question"]
        command += ["-signer", "tsa.pem", "-inkey", "tsa.key", "-out", "answer"]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder)
        return (self.folder / "answer").read_bytes()


def about(statement: bytes, algorithm: HashAlgorithm = HashAlgorithm.SHA256) -> bytes:
    """A question of its own about this statement."""
    return TimestampRequestBuilder(statement, algorithm).build().as_bytes()


@dataclass
class Authority:
    """An authority that serves; `instead` makes what it answers to a question, None for no answer at all."""

    url: str
    signer: Signer
    status: int = 200
    instead: Callable[[bytes], bytes | None] | None = None
    asked: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        assert request.content_type == QUERY
        body = (self.instead or self.signer.answer)(await request.read())
        if body is None:
            await asyncio.Event().wait()
        return web.Response(status=self.status, body=body, content_type="application/timestamp-reply")


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Authority]:
    made = Authority("", Signer(folder))
    application = web.Application()
    application.router.add_post("/tsr", made.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        made.url = f"{runner.addresses[0][1]}".join(("http://127.0.0.1:", "/tsr"))
        yield made
    finally:
        await runner.cleanup()


def _certificate(name: str, key: ec.EllipticCurvePrivateKey, issuer: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """A root if both keys are one, else what the root lets stamp."""
    now, is_root = datetime.now(UTC), key is issuer
    subject, by = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in (name, "Root"))
    usage = x509.KeyUsage(
        digital_signature=not is_root,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_root,
        crl_sign=is_root,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder(by, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(is_root, None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False)
    )
    if not is_root:
        stamps = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(stamps, critical=True)
    return builder.sign(issuer, hashes.SHA256())
