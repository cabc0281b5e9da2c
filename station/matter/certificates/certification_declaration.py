# SPDX-License-Identifier: Apache-2.0
"""The certification declaration: CMS SignedData of one exact shape around Matter TLV, and the rules D1 to D9. Pure.

Matter Core Specification 6.3.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec

from station.matter.certificates import der
from station.matter.certificates.der import DERInvalid, Reader
from station.matter.certificates.rules import Rule, RuleBroken
from station.matter.certificates.x509 import is_ecdsa_with_sha256, is_signature
from station.matter.matter_tlv import Member, TLVInvalid, read_structure

LONGEST_DECLARATION = 790  # kMaxCMSSignedCDMessage of the CHIP SDK; ST's factory data holds 602
CERTIFICATE_ID_SIZE = 19
READ_AGAIN = 8  # declarations: every unit of a product has the same
_SIGNED_DATA = der.oid("1.2.840.113549.1.7.2")
_DATA = der.oid("1.2.840.113549.1.7.1")
_SHA256 = bytes.fromhex("300b0609608648016503040201")
_CMS_VERSION = 3
_MANDATORY = range(9)
_MEMBERS = range(12)


class Kind(IntEnum):
    """The declaration's content."""

    DEVELOPMENT = 0
    PROVISIONAL = 1
    OFFICIAL = 2


@dataclass(frozen=True, slots=True)
class Origin:
    """Vendor and product of the DACs that the declaration covers, if they are not its own."""

    vendor_id: int
    product_id: int


@dataclass(frozen=True, slots=True)
class CertificationDeclaration:
    vendor_id: int
    product_ids: tuple[int, ...]
    device_type: int
    certificate_id: str
    security_level: int
    security_information: int
    version_number: int
    kind: Kind
    origin: Origin | None
    authorized_paas: tuple[bytes, ...] | None
    signer_key_id: bytes
    signed: bytes
    signature: bytes

    @classmethod
    def read(cls, data: bytes) -> "CertificationDeclaration":
        """Reads a declaration in DER; raises `RuleBroken` for D1, D6 or D7. The signature is not verified here."""
        if len(data) > LONGEST_DECLARATION:
            raise RuleBroken(Rule.D6, f"{len(data)} bytes; at most {LONGEST_DECLARATION} are allowed")
        return _read(data)

    def is_signed_by(self, key: ec.EllipticCurvePublicKey) -> bool:
        return is_signature(self.signature, self.signed, key)


@lru_cache(maxsize=READ_AGAIN)
def _read(data: bytes) -> CertificationDeclaration:
    try:
        signed, signer_key_id, signature = _read_cms(data)
    except DERInvalid as exc:
        raise RuleBroken(Rule.D6, str(exc)) from exc
    try:
        members = read_structure(signed, last_tag=_MEMBERS[-1])
    except TLVInvalid as exc:
        raise RuleBroken(Rule.D7, str(exc)) from exc
    return _declared(members, signer_key_id, signed, signature)


def _read_cms(data: bytes) -> tuple[bytes, bytes, bytes]:
    """The signed content, the signer's key identifier and the signature; the CMS must contain nothing else."""
    whole = Reader(data)
    content_info = whole.inside(der.SEQUENCE)
    whole.end()
    _expect_oid(content_info, _SIGNED_DATA)
    explicit = content_info.inside(der.context(0))
    content_info.end()
    signed_data = explicit.inside(der.SEQUENCE)
    explicit.end()

    _expect_version(signed_data)
    _expect_only(signed_data.inside(der.SET), _SHA256)
    signed = _read_content(signed_data.inside(der.SEQUENCE))
    signers = signed_data.inside(der.SET)
    signed_data.end()
    signer = signers.inside(der.SEQUENCE)
    signers.end()

    _expect_version(signer)
    key_id = signer.content(der.context(0, constructed=False))
    if signer.raw(der.SEQUENCE) != _SHA256 or not is_ecdsa_with_sha256(signer.raw(der.SEQUENCE)):
        raise DERInvalid("the signer uses something else than SHA-256 and ECDSA")
    signature = signer.content(der.OCTET_STRING)
    signer.end()
    return signed, key_id, signature


def _read_content(content: Reader) -> bytes:
    _expect_oid(content, _DATA)
    explicit = content.inside(der.context(0))
    content.end()
    signed = explicit.content(der.OCTET_STRING)
    explicit.end()
    return signed


def _expect_oid(reader: Reader, expected: bytes) -> None:
    if reader.oid() != expected:
        raise DERInvalid("a content of another type")


def _expect_version(reader: Reader) -> None:
    if (version := reader.integer()) != _CMS_VERSION:
        raise DERInvalid(f"CMS version {version}; {_CMS_VERSION} is expected")


def _expect_only(reader: Reader, expected: bytes) -> None:
    if reader.raw(der.SEQUENCE) != expected:
        raise DERInvalid("a digest other than SHA-256")
    reader.end()


def _declared(
    members: Mapping[int, Member], signer_key_id: bytes, signed: bytes, signature: bytes
) -> CertificationDeclaration:
    _check_order(members)
    if _number(members, 0, range(0x10000)) != 1:
        raise RuleBroken(Rule.D7, "format version is not 1")
    return CertificationDeclaration(
        vendor_id=_number(members, 1, range(0x10000)),
        product_ids=_product_ids(members),
        device_type=_number(members, 3, range(1 << 31)),
        certificate_id=_certificate_id(members),
        security_level=_number(members, 5, range(0x100)),
        security_information=_number(members, 6, range(0x10000)),
        version_number=_number(members, 7, range(0x10000)),
        kind=Kind(_number(members, 8, range(len(Kind)))),
        origin=Origin(*(_number(members, tag, range(0x10000)) for tag in (9, 10))) if 9 in members else None,
        authorized_paas=_authorized_paas(members),
        signer_key_id=signer_key_id,
        signed=signed,
        signature=signature,
    )


def _check_order(members: Mapping[int, Member]) -> None:
    tags = [tag for tag in members if tag in _MEMBERS]
    if missing := [tag for tag in _MANDATORY if tag not in members]:
        raise RuleBroken(Rule.D1, f"member {missing[0]} is missing")
    if list(members)[: len(tags)] != sorted(tags):
        raise RuleBroken(Rule.D1, f"members {list(members)}; 0 to 11 are expected first, in order")
    if (9 in members) != (10 in members):
        raise RuleBroken(Rule.D1, "one member of the origin without the other")


def _number(members: Mapping[int, Member], tag: int, allowed: range) -> int:
    value = members[tag]
    if not isinstance(value, int) or value not in allowed:
        raise RuleBroken(Rule.D7, f"member {tag} is no number from 0 to {allowed[-1]}")
    return value


def _product_ids(members: Mapping[int, Member]) -> tuple[int, ...]:
    value = members[2]
    if not isinstance(value, tuple) or not 1 <= len(value) <= 100:
        raise RuleBroken(Rule.D7, "member 2 is no array of 1 to 100 products")
    numbers = tuple(item for item in value if isinstance(item, int) and item in range(0x10000))
    if len(numbers) != len(value):
        raise RuleBroken(Rule.D7, "member 2 has something else than products")
    return numbers


def _certificate_id(members: Mapping[int, Member]) -> str:
    value = members[4]
    if not isinstance(value, str) or len(value.encode()) != CERTIFICATE_ID_SIZE or "\0" in value:
        raise RuleBroken(Rule.D7, "member 4 is no certificate id of 19 bytes without a NUL")
    return value


def _authorized_paas(members: Mapping[int, Member]) -> tuple[bytes, ...] | None:
    if 11 not in members:
        return None
    value = members[11]
    if not isinstance(value, tuple) or not 1 <= len(value) <= 10:
        raise RuleBroken(Rule.D4, "member 11 is no array of 1 to 10 key identifiers")
    key_ids = tuple(item for item in value if isinstance(item, bytes) and len(item) == 20)
    if len(key_ids) != len(value):
        raise RuleBroken(Rule.D4, "member 11 has something else than key identifiers of 20 bytes")
    return key_ids
