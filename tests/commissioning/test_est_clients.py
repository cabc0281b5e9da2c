# SPDX-License-Identifier: Apache-2.0
"""Other people's EST clients enrol at the development PKI, so that it is no server of the station's own dialect."""

import base64
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PublicFormat,
    load_pem_private_key,
    pkcs7,
    pkcs12,
)

from tests.line.pki_bench import new_csr

pytestmark = [pytest.mark.commissioning, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
JARS = [f"/usr/share/java/{name}.jar" for name in ("bcpkix", "bcprov", "bcutil")]
WITHIN = 600.0


@contextmanager
def served(folder: Path, *options: str) -> Iterator[str]:
    """The development PKI as a process; its URL."""
    command = [sys.executable, "-m", "development_pki", "serve", "--dir", str(folder), *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT) as server:
        try:
            deadline = time.monotonic() + WITHIN
            while not (folder / "ready.json").exists():
                assert server.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield json.loads((folder / "ready.json").read_text())["url"]
        finally:
            server.terminate()


def run(*command: str) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(command, capture_output=True, check=False, timeout=WITHIN)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def curl(url: str, files: Path, csr: bytes) -> bytes:
    """Enrols with curl, and asks again as often as the server says 202; returns the certificates in PEM."""
    base = ["curl", "--silent", "--show-error", "--cacert", f"{files}/ca.pem", "--cert", f"{files}/station.pem"]
    base += ["--key", f"{files}/station-key.pem", "--write-out", "%{http_code}", "--output", f"{files}/answer"]
    (files / "csr").write_bytes(base64.encodebytes(csr))
    headers = ["--header", "Content-Type: application/pkcs10", "--header", "Content-Transfer-Encoding: base64"]
    assert run(*base, f"{url}/cacerts").stdout == b"200"
    while (status := run(*base, *headers, "--data-binary", f"@{files}/csr", f"{url}/simpleenroll").stdout) == b"202":
        time.sleep(1)
    assert status == b"200"
    found = pkcs7.load_der_pkcs7_certificates(base64.b64decode((files / "answer").read_bytes()))
    return b"".join(each.public_bytes(Encoding.PEM) for each in found)


def bouncy_castle(url: str, files: Path, csr: bytes) -> bytes:
    """Enrols with BouncyCastle's client, which follows a 202 by itself."""
    key = load_pem_private_key((files / "station-key.pem").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    certificate = x509.load_pem_x509_certificate((files / "station.pem").read_bytes())
    store = pkcs12.serialize_key_and_certificates(b"station", key, certificate, None, BestAvailableEncryption(b"test"))
    (files / "station.p12").write_bytes(store)
    (files / "csr.der").write_bytes(csr)
    program = str(Path(__file__).with_name("Est.java"))
    server = url.removeprefix("https://").partition("/")[0]
    arguments = [server, str(files / "ca.pem"), str(files / "station.p12"), str(files / "csr.der")]
    done = run("java", "--class-path", ":".join(JARS), program, *arguments)
    assert b"authorities: 2" in done.stderr
    return done.stdout


@pytest.mark.parametrize("client", [curl, bouncy_castle])
@pytest.mark.parametrize("pending", [0, 2])
def test_a_foreign_client_gets_a_certificate(
    client: Callable[[str, Path, bytes], bytes], pending: int, tmp_path: Path
) -> None:
    """At once, and after a decision that takes its time; either way one certificate is bought."""
    csr, public_key = new_csr()
    folder = tmp_path / "pki"
    with served(folder, "--retry-after=1", f"--fault=pending={pending}") as url:
        (certificate,) = x509.load_pem_x509_certificates(client(url, folder / "tls", csr))
    expected = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == expected
    (issued,) = (json.loads(line) for line in (folder / "issued.jsonl").read_text().splitlines())
    assert int(issued["serial_number"], 16) == certificate.serial_number
