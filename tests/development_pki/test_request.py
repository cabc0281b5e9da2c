# SPDX-License-Identifier: Apache-2.0
"""Which certificate requests the development PKI accepts, and why it refuses the others."""

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from development_pki.attestation import PRODUCT_ID, VENDOR_ID
from development_pki.request import RequestRefused, wanted
from tests.development_pki.pki_client import PRODUCT, csr, new_key

REQUEST_CONFIGURATION = """\
oid_section = names
[names]
vid = 1.3.6.1.4.1.37244.2.1
pid = 1.3.6.1.4.1.37244.2.2
[req]
prompt = no
string_mask = utf8only
distinguished_name = subject
[subject]
vid = FFF1
pid = 8004
"""


def judged(der: bytes) -> ec.EllipticCurvePublicKey:
    return wanted(base64.b64encode(der), PRODUCT).key


def openssl_csr(folder: Path, *key_form: str) -> bytes:
    """A request made by openssl, with the key in the given encoding."""
    (folder / "request.cnf").write_text(REQUEST_CONFIGURATION)
    for command in (
        "openssl ecparam -name prime256v1 -genkey -noout -out plain.pem",
        f"openssl ec -in plain.pem -out key.pem {' '.join(key_form)}",
        "openssl req -new -key key.pem -config request.cnf -outform DER -out csr.der",
    ):
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return (folder / "csr.der").read_bytes()


@pytest.mark.parametrize("whitespace", [b"", b"\n", b"\r\n", b" \t"])
@pytest.mark.parametrize("columns", [1, 64, 76, 1000])
def test_whitespace_in_base64_is_ignored(whitespace: bytes, columns: int) -> None:
    """Whitespace may be at the ends of the base64 text or between its lines."""
    key = new_key()
    text = base64.b64encode(csr(key))
    lines = [text[start : start + columns] for start in range(0, len(text), columns)]
    assert wanted(whitespace + whitespace.join(lines) + whitespace, PRODUCT).key == key.public_key()


def test_a_request_of_openssl_is_accepted(tmp_path: Path) -> None:
    """The PKI reads requests of another implementation."""
    assert judged(openssl_csr(tmp_path)).key_size == 256


@pytest.mark.parametrize("form", [("-param_enc", "explicit"), ("-conv_form", "compressed")])
def test_another_encoding_of_the_key_is_refused(tmp_path: Path, form: tuple[str, str]) -> None:
    """Matter allows no P-256 key that spells out the curve or compresses the point."""
    with pytest.raises(RequestRefused, match="named curve"):
        judged(openssl_csr(tmp_path, *form))


@pytest.mark.parametrize(
    "subject",
    [
        ((VENDOR_ID, "FFF1"), (PRODUCT_ID, "8005")),
        ((VENDOR_ID, "FFF2"), (PRODUCT_ID, "8004")),
        ((VENDOR_ID, "fff1"), (PRODUCT_ID, "8004")),
        ((VENDOR_ID, "FFF1"), (VENDOR_ID, "FFF1"), (PRODUCT_ID, "8004")),
        ((VENDOR_ID, "FFF1"),),
        ((x509.NameOID.COMMON_NAME, "Mvid:FFF1 Mpid:8004"),),
    ],
)
def test_another_product_is_refused(subject: tuple[tuple[x509.ObjectIdentifier, str], ...]) -> None:
    """The subject must name this authority's vendor and product, each once, with Matter's identifiers."""
    with pytest.raises(RequestRefused, match="FFF1/8004"):
        judged(csr(new_key(), *subject))


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
        rsa.generate_private_key(65537, 2048),
    ],
)
def test_another_kind_of_key_is_refused(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    """Matter allows only P-256."""
    with pytest.raises(RequestRefused, match="P-256"):
        judged(csr(key))


def test_another_hash_is_refused() -> None:
    """Matter allows only SHA-256."""
    with pytest.raises(RequestRefused, match="ecdsa-with-SHA256"):
        judged(csr(new_key(), signed_with=hashes.SHA384()))


def test_a_request_signed_by_another_key_is_refused() -> None:
    """The requester must hold the private key of the request."""
    one, other = csr(new_key()), csr(new_key())
    foreign = x509.load_der_x509_csr(other).signature
    own = x509.load_der_x509_csr(one).signature
    with pytest.raises(RequestRefused):
        judged(one.replace(own[-32:], foreign[-32:]))


def test_no_bit_of_what_is_signed_can_change() -> None:
    """A request with any single flipped bit in its signed part raises RequestRefused."""
    der = csr(new_key())
    signed = x509.load_der_x509_csr(der).tbs_certrequest_bytes
    start = der.index(signed)
    for bit in range(start * 8, (start + len(signed)) * 8):
        flipped = bytearray(der)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(RequestRefused):
            judged(bytes(flipped))


@pytest.mark.parametrize("end", [0, 1, 50, -1])
def test_a_cut_request_is_refused(end: int) -> None:
    """An incomplete request is not PKCS#10."""
    with pytest.raises(RequestRefused, match="PKCS#10"):
        judged(csr(new_key())[:end])


def test_bytes_after_the_request_are_refused() -> None:
    """Nothing may follow the request."""
    with pytest.raises(RequestRefused, match="PKCS#10"):
        judged(csr(new_key()) + b"\0")


@pytest.mark.parametrize("body", [b"M", b"MII*", b"-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n", "MÄA=".encode()])
def test_what_is_not_base64_is_refused(body: bytes) -> None:
    """EST transports base64, neither PEM nor binary data."""
    with pytest.raises(RequestRefused, match="base64"):
        wanted(body, PRODUCT)
