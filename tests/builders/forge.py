# SPDX-License-Identifier: Apache-2.0
"""Makes certificates and requests with one mistake: DER written by hand, independent of the code that reads it."""

from dataclasses import dataclass, replace
from functools import cached_property

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
ECDSA_SHA256_NULL = bytes.fromhex("300c06082a8648ce3d0403020500")
ECDSA_SHA384 = bytes.fromhex("300a06082a8648ce3d040303")
COMMON_NAME, VENDOR, PRODUCT = "0603550403", "060a2b0601040182a27c0201", "060a2b0601040182a27c0202"
UTF8, PRINTABLE, IA5 = 0x0C, 0x13, 0x16
SKI, KEY_USAGE, BASIC, AKI = "0603551d0e", "0603551d0f", "0603551d13", "0603551d23"


def tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x81, size]) if size < 256 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


def sequence(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def name(*attributes: tuple[str, str], kind: int = UTF8) -> bytes:
    """A Name of attributes, each an OID (hexadecimal DER) and a text."""
    items = (sequence(bytes.fromhex(oid), tlv(kind, text.encode())) for oid, text in attributes)
    return sequence(*(tlv(0x31, item) for item in items))


def extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    return sequence(bytes.fromhex(oid), tlv(0x01, b"\xff") if critical else b"", tlv(0x04, value))


def utc(text: str) -> bytes:
    return tlv(0x17, text.encode())


def generalized(text: str) -> bytes:
    return tlv(0x18, text.encode())


def public_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def sign(data: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    return tlv(0x03, b"\0", key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))


PAA_KEY, PAI_KEY, DAC_KEY, OTHER_KEY = (ec.derive_private_key(number, ec.SECP256R1()) for number in (1, 2, 3, 4))
PAA_ID, PAI_ID, DAC_ID = (bytes([number]) * 20 for number in (1, 2, 3))
PAA_NAME = name((COMMON_NAME, "TEST PAA"), (VENDOR, "FFF1"))
PAI_NAME = name((COMMON_NAME, "TEST PAI"), (VENDOR, "FFF1"), (PRODUCT, "8004"))
DAC_NAME = name((COMMON_NAME, "TEST DAC"), (VENDOR, "FFF1"), (PRODUCT, "8004"))


@dataclass(frozen=True)
class Forged:
    """The parts of a certificate in DER; `signer` signs it unless a signature is given."""

    signer: ec.EllipticCurvePrivateKey
    issuer: bytes
    subject: bytes
    key: bytes
    extensions: tuple[bytes, ...]
    version: bytes = tlv(0xA0, tlv(0x02, b"\x02"))
    serial_number: bytes = tlv(0x02, b"\x11" * 8)
    inside: bytes = ECDSA_SHA256
    outside: bytes = ECDSA_SHA256
    valid_from: bytes = utc("250101000000Z")
    valid_until: bytes = generalized("99991231235959Z")
    behind: bytes = b""
    signature: bytes | None = None

    @cached_property
    def signed(self) -> bytes:
        return sequence(
            self.version,
            self.serial_number,
            self.inside,
            self.issuer,
            sequence(self.valid_from, self.valid_until),
            self.subject,
            self.key,
            tlv(0xA3, sequence(*self.extensions)),
        )

    @cached_property
    def der(self) -> bytes:
        return self.around(self.signed)

    def around(self, signed: bytes) -> bytes:
        """The certificate with another signed part, signed by the same key."""
        return sequence(signed, self.outside, self.signature or sign(signed, self.signer)) + self.behind

    def with_extension(self, oid: str, changed: bytes) -> "Forged":
        """Replaces one extension, or removes it for b""."""
        kept = (changed if bytes.fromhex(oid) in item[:10] else item for item in self.extensions)
        return replace(self, extensions=tuple(item for item in kept if item))

    def and_extension(self, added: bytes) -> "Forged":
        return replace(self, extensions=(*self.extensions, added))


def extensions(basic: str, usage: str, own: bytes, issuer: bytes) -> tuple[bytes, ...]:
    return (
        extension(BASIC, bytes.fromhex(basic), critical=True),
        extension(KEY_USAGE, bytes.fromhex(usage), critical=True),
        extension(SKI, tlv(0x04, own)),
        extension(AKI, sequence(tlv(0x80, issuer))),
    )


PAA = Forged(
    PAA_KEY, PAA_NAME, PAA_NAME, public_key(PAA_KEY), extensions("30060101ff020101", "03020106", PAA_ID, PAA_ID)
)
PAI = Forged(
    PAA_KEY, PAA_NAME, PAI_NAME, public_key(PAI_KEY), extensions("30060101ff020100", "03020106", PAI_ID, PAA_ID)
)
DAC = Forged(PAI_KEY, PAI_NAME, DAC_NAME, public_key(DAC_KEY), extensions("3000", "03020780", DAC_ID, PAI_ID))


@dataclass(frozen=True)
class ForgedRequest:
    """The parts of a PKCS#10 request, and the key that signs it."""

    signer: ec.EllipticCurvePrivateKey = DAC_KEY
    version: bytes = tlv(0x02, b"\0")
    subject: bytes = DAC_NAME
    key: bytes = public_key(DAC_KEY)
    attributes: bytes = tlv(0xA0)
    algorithm: bytes = ECDSA_SHA256
    behind: bytes = b""

    @cached_property
    def der(self) -> bytes:
        signed = sequence(self.version, self.subject, self.key, self.attributes)
        return sequence(signed, self.algorithm, sign(signed, self.signer)) + self.behind
