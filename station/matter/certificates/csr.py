# SPDX-License-Identifier: Apache-2.0
"""Reads PKCS#10 certificate requests (RFC 2986) strictly: a request that is read keeps rule P2. Pure."""

from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec

from station.matter.certificates import der
from station.matter.certificates.der import DERInvalid, Reader
from station.matter.certificates.names import Identifiers, Name
from station.matter.certificates.rules import Rule, RuleBroken
from station.matter.certificates.x509 import (
    READ_AGAIN,
    is_ecdsa_with_sha256,
    is_signature,
    read_public_key,
    read_signature,
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request's content; its signature proves that its maker holds the key."""

    public_key: ec.EllipticCurvePublicKey
    subject: Name
    identifiers: Identifiers


def read_request(data: bytes) -> Request:
    """Reads a request in DER and verifies its self-signature; raises `RuleBroken`."""
    try:
        return _read(data)
    except DERInvalid as exc:
        raise RuleBroken(Rule.P2, f"not a PKCS#10 request in DER: {exc}") from exc


@lru_cache(maxsize=READ_AGAIN)
def _read(data: bytes) -> Request:
    whole = Reader(data)
    parts = whole.inside(der.SEQUENCE)
    whole.end()
    signed, algorithm, signature = parts.raw(der.SEQUENCE), parts.raw(der.SEQUENCE), read_signature(parts)
    parts.end()

    said = Reader(signed).inside(der.SEQUENCE)
    version = said.integer()
    subject = Name.read(said.raw(der.SEQUENCE))
    public_key = read_public_key(said.raw(der.SEQUENCE))
    _pass_attributes(said.inside(der.context(0)))
    said.end()

    if version != 0:
        raise RuleBroken(Rule.P2, f"version {version + 1}")
    if not is_ecdsa_with_sha256(algorithm):
        raise RuleBroken(Rule.P2, "not signed with ecdsa-with-SHA256")
    if not is_signature(signature, signed, public_key):
        raise RuleBroken(Rule.P2, "its signature does not verify under the key in it")
    return Request(public_key, subject, Identifiers.of(subject))


def _pass_attributes(attributes: Reader) -> None:
    """Skips the attributes that a request may carry; a Matter PKI ignores them."""
    while attributes.next_tag is not None:
        attribute = attributes.inside(der.SEQUENCE)
        attribute.oid()
        attribute.content(der.SET)
        attribute.end()
