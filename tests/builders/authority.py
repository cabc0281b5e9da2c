# SPDX-License-Identifier: Apache-2.0
"""An authority that signs DACs for the boards of these tests."""

from datetime import UTC, datetime, timedelta
from enum import IntEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

MAGIC = b"\xac" * 4
PRODUCT = {22: (0xFFF1).to_bytes(2, "little"), 24: (0x8004).to_bytes(2, "little"), 25: b"SN 0001"}


def factory_data(values: dict[int, bytes] = PRODUCT) -> bytes:
    """Records of tag, length and value, and the magic word, as ST's PC tool writes them."""
    parts = (tag.to_bytes(4, "little") + len(value).to_bytes(4, "little") + value for tag, value in values.items())
    return b"".join(parts) + MAGIC


class Authority:
    """A PAI and its key."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.pai = self._certificate("PAI", self._key.public_key(), 1)

    def dac(self, key: ec.EllipticCurvePublicKey, serial_number: int = 0x1234ABCD) -> bytes:
        """A certificate for a board's key, DER."""
        return self._certificate("DAC", key, serial_number)

    def certificates(self, dac: bytes) -> bytes:
        """The payload of STORE: DAC and PAI with their lengths."""
        return b"".join(len(part).to_bytes(2, "little") + part for part in (dac, self.pai))

    def _certificate(self, name: str, key: ec.EllipticCurvePublicKey, serial_number: int) -> bytes:
        issuer, subject = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, said)]) for said in ("PAI", name))
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(issuer, subject, key, serial_number, now, now + timedelta(days=1))
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.DER)


def key_in(csr: bytes) -> ec.EllipticCurvePublicKey:
    key = x509.load_der_x509_csr(csr).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


class Status(IntEnum):
    """The status codes with which a board refuses a question; 0 to 4 are ST's codes, as in `finish:NNN`."""

    OK = 0
    NO_FACTORY_DATA = 1
    TOO_SMALL = 2
    PARAMETER = 3
    SECURE_STORAGE = 4
    NOT_MY_KEY = 5
    CRYPTO = 6
    FLASH = 7
    NO_KEY = 8
    UNKNOWN_QUESTION = 9
    OTHER_DAC = 10
