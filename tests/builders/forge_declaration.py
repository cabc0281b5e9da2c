# SPDX-License-Identifier: Apache-2.0
"""Makes certification declarations with one mistake, written by hand as DER and Matter TLV."""

from dataclasses import dataclass, replace
from functools import cached_property

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.builders.forge import ECDSA_SHA256, PAA, SKI, Forged, extension, public_key, sequence, tlv

SIGNER_KEY = ec.derive_private_key(6, ec.SECP256R1())
SIGNER_ID = b"\x06" * 20
SIGNER: Forged = replace(PAA, key=public_key(SIGNER_KEY)).with_extension(SKI, extension(SKI, tlv(0x04, SIGNER_ID)))

SHA256 = bytes.fromhex("300b0609608648016503040201")
SIGNED_DATA, DATA = bytes.fromhex("06092a864886f70d010702"), bytes.fromhex("06092a864886f70d010701")
VERSION_3 = tlv(0x02, b"\x03")


def u8(tag: int, value: int) -> bytes:
    return bytes([0x24, tag, value])


def u16(tag: int, value: int) -> bytes:
    return bytes([0x25, tag]) + value.to_bytes(2, "little")


def u32(tag: int, value: int) -> bytes:
    return bytes([0x26, tag]) + value.to_bytes(4, "little")


def text(tag: int, value: str) -> bytes:
    content = value.encode()
    return bytes([0x2C, tag, len(content)]) + content


def array(tag: int, *items: bytes) -> bytes:
    return bytes([0x36, tag]) + b"".join(items) + b"\x18"


def products(*numbers: int) -> bytes:
    return array(2, *(b"\x05" + number.to_bytes(2, "little") for number in numbers))


def paas(*key_ids: bytes) -> bytes:
    return array(11, *(bytes([0x10, len(key_id)]) + key_id for key_id in key_ids))


@dataclass(frozen=True)
class Declaration:
    """The members, each in TLV, and the parts of the CMS around them."""

    members: tuple[bytes, ...] = (
        u8(0, 1),
        u16(1, 0xFFF1),
        products(0x8004),
        u16(3, 0x1234),
        text(4, "ZIG20141ZB330001-24"),
        u8(5, 0),
        u16(6, 0),
        u16(7, 0x9876),
        u8(8, 0),
    )
    signer: ec.EllipticCurvePrivateKey = SIGNER_KEY
    key_id: bytes = tlv(0x80, SIGNER_ID)
    content_type: bytes = SIGNED_DATA
    version: bytes = VERSION_3
    digests: bytes = SHA256
    inner_type: bytes = DATA
    signer_version: bytes = VERSION_3
    signer_digest: bytes = SHA256
    algorithm: bytes = ECDSA_SHA256
    certificates: bytes = b""
    tail: bytes = b"\x18"
    behind: bytes = b""

    @cached_property
    def signed(self) -> bytes:
        return b"\x15" + b"".join(self.members) + self.tail

    @cached_property
    def der(self) -> bytes:
        return self.around(self.signed)

    def around(self, signed: bytes) -> bytes:
        """The declaration with another signed part, signed by the same key."""
        signature = tlv(0x04, self.signer.sign(signed, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
        signer = sequence(self.signer_version, self.key_id, self.signer_digest, self.algorithm, signature)
        content = sequence(self.inner_type, tlv(0xA0, tlv(0x04, signed)))
        signed_data = sequence(self.version, tlv(0x31, self.digests), content, self.certificates, tlv(0x31, signer))
        return sequence(self.content_type, tlv(0xA0, signed_data)) + self.behind

    def having(self, *changed: bytes) -> "Declaration":
        """Replaces members with the same tag, or appends new ones."""
        members = {member[1]: member for member in (*self.members, *changed)}
        return replace(self, members=tuple(members.values()))

    def without(self, tag: int) -> "Declaration":
        return replace(self, members=tuple(member for member in self.members if member[1] != tag))
