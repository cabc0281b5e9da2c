# SPDX-License-Identifier: Apache-2.0
"""Reads X.509 certificates of the Matter profile strictly: one that is read keeps the rules C1 to C13. Pure.

The library parses certificates lazily and is lax in places, and not every version of it reads every production root.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from station.matter.certificates import der
from station.matter.certificates.der import DERInvalid, Reader
from station.matter.certificates.extensions import Extensions
from station.matter.certificates.names import Identifiers, Name
from station.matter.certificates.rules import Rule, RuleBroken

LONGEST_CERTIFICATE = 600
READ_AGAIN = 128  # certificates: for each board a line's PAA and PAI are looked at several times, and its DAC, too
_V3 = 2
_P256_KEY = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")  # up to the point
_POINT_SIZE = 65
_ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
# RFC 5758, 3.2 forbids the NULL, but a production root has it, and commissioners accept it.
_ECDSA_WITH_SHA256_AND_NULL = bytes.fromhex("300c06082a8648ce3d0403020500")


@dataclass(frozen=True, slots=True)
class Certificate:
    """The content of a DAC, a PAI or a PAA."""

    der: bytes
    signed: bytes
    signature_algorithm: bytes
    signature: bytes
    serial_number: int
    issuer: Name
    subject: Name
    identifiers: Identifiers
    valid_from: datetime
    valid_until: datetime
    public_key: ec.EllipticCurvePublicKey
    extensions: Extensions

    def __hash__(self) -> int:
        return hash(self.der)  # all else is read from it

    @classmethod
    def read(cls, data: bytes) -> "Certificate":
        """Reads one certificate in DER; raises `RuleBroken` with the first rule that it breaks."""
        if len(data) > LONGEST_CERTIFICATE:
            raise RuleBroken(Rule.C4, f"{len(data)} bytes")
        try:
            return _read(data)
        except DERInvalid as exc:
            raise RuleBroken(Rule.C12, str(exc)) from exc

    def is_signed_by(self, key: ec.EllipticCurvePublicKey) -> bool:
        return is_signature(self.signature, self.signed, key)

    def is_valid_at(self, moment: datetime) -> bool:
        """A commissioner counts a certificate as expired from the very second in which it ends."""
        return self.valid_from <= moment < self.valid_until


def read_public_key(raw: bytes) -> ec.EllipticCurvePublicKey:
    """The key of a SubjectPublicKeyInfo that keeps rule C3."""
    if not raw.startswith(_P256_KEY) or len(raw) != len(_P256_KEY) + _POINT_SIZE:
        raise RuleBroken(Rule.C3, "the key is of another kind or form")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw[len(_P256_KEY) :])
    except ValueError as exc:
        raise RuleBroken(Rule.C3, "the key is not a point on the curve") from exc


def is_signature(signature: bytes, signed: bytes, key: ec.EllipticCurvePublicKey) -> bool:
    """Whether this is the key's ECDSA signature, in DER, over the SHA-256 of these bytes."""
    try:
        key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def is_ecdsa_with_sha256(algorithm: bytes, *, null_allowed: bool = False) -> bool:
    """Whether this AlgorithmIdentifier is ecdsa-with-SHA256, the only one that Matter allows."""
    return algorithm == _ECDSA_WITH_SHA256 or (null_allowed and algorithm == _ECDSA_WITH_SHA256_AND_NULL)


def read_signature(reader: Reader) -> bytes:
    """The bytes of a BIT STRING without unused bits."""
    bits = reader.content(der.BIT_STRING)
    if bits[:1] != b"\0":
        raise DERInvalid("a signature is not a whole number of bytes")
    return bits[1:]


@lru_cache(maxsize=READ_AGAIN)
def _read(data: bytes) -> Certificate:
    whole = Reader(data)
    parts = whole.inside(der.SEQUENCE)
    signed, algorithm, signature = parts.raw(der.SEQUENCE), parts.raw(der.SEQUENCE), read_signature(parts)
    parts.end()

    said = Reader(signed).inside(der.SEQUENCE)
    _check_version(said)
    serial_number = _serial_number(said)
    _check_algorithm(said.raw(der.SEQUENCE), algorithm)
    issuer = Name.read(said.raw(der.SEQUENCE))
    validity = said.inside(der.SEQUENCE)
    valid_from, valid_until = _moment(validity), _moment(validity)
    validity.end()
    subject = Name.read(said.raw(der.SEQUENCE))
    public_key = read_public_key(said.raw(der.SEQUENCE))
    extensions = Extensions.read(said.content(der.context(3)))
    said.end()
    whole.end()  # checked last, so that a worse mistake is the one reported
    return Certificate(
        der=data,
        signed=signed,
        signature_algorithm=algorithm,
        signature=signature,
        serial_number=serial_number,
        issuer=issuer,
        subject=subject,
        identifiers=Identifiers.of(subject),
        valid_from=valid_from,
        valid_until=valid_until,
        public_key=public_key,
        extensions=extensions,
    )


def _check_version(said: Reader) -> None:
    version = 0
    if said.next_tag == der.context(0):
        explicit = said.inside(der.context(0))
        version = explicit.integer()
        explicit.end()
    if version != _V3:
        raise RuleBroken(Rule.C1, f"version {version + 1}")


def _serial_number(said: Reader) -> int:
    content = said.raw(der.INTEGER)
    number = Reader(content).integer()
    if number <= 0 or len(content) > 22:  # tag and length, then at most 20 bytes
        raise RuleBroken(Rule.C5, f"{len(content) - 2} bytes" if number > 0 else "it is not positive")
    return number


def _check_algorithm(inside: bytes, outside: bytes) -> None:
    if inside != outside or not is_ecdsa_with_sha256(inside, null_allowed=True):
        raise RuleBroken(Rule.C2, "another algorithm, or two that differ")


def _moment(validity: Reader) -> datetime:
    kind, content = validity.element()
    text = content.decode("latin-1")
    if kind == der.UTC_TIME and re.fullmatch("[0-9]{12}Z", text):
        text = ("19" if text >= "50" else "20") + text  # RFC 5280, 4.1.2.5.1
    elif kind != der.GENERALIZED_TIME or not re.fullmatch("[0-9]{14}Z", text) or "1950" <= text < "2050":
        raise RuleBroken(Rule.C13, f"{text!a} is another form")
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as exc:
        raise RuleBroken(Rule.C13, f"there is no moment {text}") from exc
