# SPDX-License-Identifier: Apache-2.0
"""DAC and PAI of one unit, and the proof that the board holds the DAC's key. Pure."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from station.faults.unit import PossessionUnproven

PROOF_CONTEXT = b"matter provisioning link v1"  # PROVE signs this text followed by the nonce


# The public key of the development DAC that ST's firmware contains and puts on every board (X-CUBE-MATTER).
DEVELOPMENT_KEY = bytes.fromhex(
    "504138ef31c9dd160eb46c6c17114f9d728840801f73bb9b5a2c5191c9b20663"
    "019d9476d1931b93ff47f43256379035d229620b7e210e592f26437d2d576205"
)


def key_name(public_key: ec.EllipticCurvePublicKey) -> str:
    """The name of a key in journal and log: SHA-256 of its SubjectPublicKeyInfo, in hexadecimal."""
    spki = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def certificate_key(certificate: bytes) -> str | None:
    """The name of the key in a certificate, DER; None for bytes that are no certificate for a key on an elliptic curve."""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key_name(key) if isinstance(key, ec.EllipticCurvePublicKey) else None


def csr_key(csr: bytes) -> str:
    """The name of the key in a PKCS#10 request, DER. Check the request first."""
    key = x509.load_der_x509_csr(csr).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        msg = "the request's key is not an elliptic curve key"
        raise TypeError(msg)
    return key_name(key)


def serial_number_text(serial_number: int) -> str:
    """A certificate's serial number as journal, log and lists have it: upper-case hexadecimal, an even number of digits."""
    return serial_number.to_bytes((serial_number.bit_length() + 7) // 8 or 1, "big").hex().upper()


@lru_cache(maxsize=64)
def _read(certificate: bytes) -> x509.Certificate:
    """A DAC is asked for its serial number and its key a dozen times while its board is made."""
    return x509.load_der_x509_certificate(certificate)


@dataclass(frozen=True, slots=True)
class Credentials:
    """One unit's certificates, DER."""

    dac: bytes
    pai: bytes

    @property
    def dac_serial_number(self) -> str:
        """Upper-case hexadecimal, an even number of digits."""
        return serial_number_text(_read(self.dac).serial_number)

    @property
    def are_development(self) -> bool:
        """Whether the DAC is the one that ST's demonstration firmware puts on every board."""
        return self.public_point[1:] == DEVELOPMENT_KEY

    @property
    def key(self) -> str:
        return key_name(self.public_key)

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        key = _read(self.dac).public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            msg = "the DAC's key is not an elliptic curve key"
            raise TypeError(msg)
        return key

    @property
    def public_point(self) -> bytes:
        """The uncompressed point, 65 bytes, as factory data tag 6 holds it."""
        return self.public_key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)

    def is_key(self, private_key: bytes) -> bool:
        """Whether these 32 bytes are the DAC's private key."""
        try:
            found = ec.derive_private_key(int.from_bytes(private_key, "big"), ec.SECP256R1())
        except ValueError:
            return False
        return key_name(found.public_key()) == self.key

    def check_possession(self, nonce: bytes, signature: bytes, during: str) -> None:
        """Raises `PossessionUnproven` unless `signature` (r and s, 64 bytes) over context and nonce verifies."""
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        try:
            self.public_key.verify(encode_dss_signature(r, s), PROOF_CONTEXT + nonce, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature as exc:
            raise PossessionUnproven(during) from exc
