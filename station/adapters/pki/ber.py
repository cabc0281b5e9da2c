# SPDX-License-Identifier: Apache-2.0
"""Reads the structures around certificates in an answer, in BER or DER (X.690): servers write both. Pure.

The library refuses a set whose members are not sorted, which most servers send. Nothing here is trusted: what a
certificate says is checked elsewhere, by strict rules.
"""

from collections.abc import Iterator
from dataclasses import dataclass

SEQUENCE, SET, OID = 0x30, 0x31, 0x06
CONTEXT_0 = 0xA0
SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
DEEPEST = 32
_LONG = 0x80
_END_OF_CONTENTS = b"\0\0"


class BERInvalid(Exception):
    """The bytes are not the structure that is expected."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its tag, its content, and all its bytes with tag and length."""

    tag: int
    content: bytes
    whole: bytes

    def members(self) -> list["Element"]:
        """The elements in its content."""
        return list(elements(self.content))


def elements(data: bytes) -> Iterator[Element]:
    """Element after element up to the end of the data."""
    at = 0
    while at < len(data):
        element, at = _element(data, at, DEEPEST)
        yield element


def certificates_in_cms(content_info: Element) -> list[bytes]:
    """The certificates in certs-only CMS (RFC 5652, 5.1), DER, in the order of the message."""
    kind, wrapped = _first(content_info.members(), 2)
    if content_info.tag != SEQUENCE or kind.tag != OID or kind.content != SIGNED_DATA or wrapped.tag != CONTEXT_0:
        raise BERInvalid("not signed data")
    (signed,) = _first(wrapped.members(), 1)
    fields = signed.members()
    sets = [field for field in fields if field.tag == CONTEXT_0]
    return [each.whole for field in sets[:1] for each in field.members() if each.tag == SEQUENCE]


def public_key_of(certificate: bytes) -> bytes:
    """The SubjectPublicKeyInfo of an X.509 certificate, as it stands in it (RFC 5280, 4.1)."""
    (whole,) = _first(list(elements(certificate)), 1)
    (signed,) = _first(whole.members(), 1)
    fields = signed.members()
    before = 6 if fields and fields[0].tag == CONTEXT_0 else 5  # the version is optional
    key = _first(fields, before + 1)[before]
    if whole.tag != SEQUENCE or signed.tag != SEQUENCE or key.tag != SEQUENCE:
        raise BERInvalid("not a certificate")
    return key.whole


def _first(found: list[Element], count: int) -> list[Element]:
    if len(found) < count:
        raise BERInvalid(f"{len(found)} elements where {count} are expected")
    return found[:count]


def _element(data: bytes, at: int, deepest: int) -> tuple[Element, int]:
    begins = at
    if at + 2 > len(data) or data[at] & 0x1F == 0x1F or deepest == 0:
        raise BERInvalid("no element")
    tag, length = data[at], data[at + 1]
    at += 2
    if length == _LONG:
        return _indefinite(data, begins, deepest)
    if length > _LONG:
        octets = length - _LONG
        length = int.from_bytes(data[at : at + octets], "big")
        at += octets
    if at + length > len(data):
        raise BERInvalid("the element ends too early")
    return Element(tag, data[at : at + length], data[begins : at + length]), at + length


def _indefinite(data: bytes, begins: int, deepest: int) -> tuple[Element, int]:
    at = content = begins + 2
    while data[at : at + 2] != _END_OF_CONTENTS:
        _, at = _element(data, at, deepest - 1)
    return Element(data[begins], data[content:at], data[begins : at + 2]), at + 2
