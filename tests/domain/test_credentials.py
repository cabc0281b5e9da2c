# SPDX-License-Identifier: Apache-2.0
"""DAC and PAI of one unit, and the proof that a board holds the DAC's key."""

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from station.domain.credentials import Credentials, csr_key, key_name
from station.faults.unit import PossessionUnproven

KEY = ec.derive_private_key(2, ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "TEST DAC")])
CONTEXT = b"matter provisioning link v1"
NONCE = bytes(range(32))


def credentials(serial_number: int) -> Credentials:
    validity = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
    dac = x509.CertificateBuilder(NAME, NAME, KEY.public_key(), serial_number, *validity).sign(KEY, hashes.SHA256())
    return Credentials(dac.public_bytes(serialization.Encoding.DER), b"")


def signature(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "01"), (0xAB, "AB"), (0x1AB, "01AB"), (2**127, "80" + "00" * 15), (2**159 - 1, "7F" + "FF" * 19)],
)
def test_a_serial_number_is_written_in_whole_bytes(number: int, text: str) -> None:
    """The serial number is upper-case hexadecimal, as in the PKI's list."""
    assert credentials(number).dac_serial_number == text


def test_request_and_certificate_name_the_same_key() -> None:
    """Journal and PKI relay identify a key by this name."""
    csr = x509.CertificateSigningRequestBuilder(NAME).sign(KEY, hashes.SHA256())
    assert csr_key(csr.public_bytes(serialization.Encoding.DER)) == credentials(1).key == key_name(KEY.public_key())


def test_the_public_point_is_uncompressed() -> None:
    """Factory data holds the point as 04, x, y."""
    numbers = KEY.public_key().public_numbers()
    assert credentials(1).public_point == b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


@pytest.mark.parametrize(
    ("private_key", "is_it"),
    [(2, True), (3, False), (0, False), (2**256 - 1, False)],
    ids=["its own", "another", "zero", "beyond the curve's order"],
)
def test_a_private_key_is_known_by_its_public_key(private_key: int, is_it: bool) -> None:  # noqa: FBT001  the expected result
    """The 32 bytes in flash are the key only if their public key matches."""
    assert credentials(1).is_key(private_key.to_bytes(32, "big")) is is_it


def test_a_signature_over_context_and_nonce_proves_possession() -> None:
    """Only the DAC's key can make the signature."""
    credentials(1).check_possession(NONCE, signature(KEY, CONTEXT + NONCE), "deliver")


@pytest.mark.parametrize(
    "forged",
    [
        signature(KEY, NONCE),
        signature(KEY, CONTEXT + bytes(32)),
        signature(ec.derive_private_key(3, ec.SECP256R1()), CONTEXT + NONCE),
        bytes(64),
        b"",
    ],
    ids=["without context", "another nonce", "another key", "zeros", "nothing"],
)
def test_no_other_signature_does(forged: bytes) -> None:
    """A replayed, borrowed or empty answer is the board's fault."""
    with pytest.raises(PossessionUnproven):
        credentials(1).check_possession(NONCE, forged, "deliver")
