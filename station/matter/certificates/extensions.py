# SPDX-License-Identifier: Apache-2.0
"""The certificate extensions that Matter requires: rules C6 to C11. Pure."""

from dataclasses import dataclass
from typing import Self

from station.matter.certificates import der
from station.matter.certificates.der import DERInvalid, Reader
from station.matter.certificates.rules import Rule, RuleBroken

KEY_ID_SIZE = 20
_SUBJECT_KEY_ID = der.oid("2.5.29.14")
_KEY_USAGE = der.oid("2.5.29.15")
_BASIC_CONSTRAINTS = der.oid("2.5.29.19")
_AUTHORITY_KEY_ID = der.oid("2.5.29.35")
_EXTENDED_KEY_USAGE = der.oid("2.5.29.37")
_UNDERSTOOD = frozenset({_SUBJECT_KEY_ID, _KEY_USAGE, _BASIC_CONSTRAINTS, _AUTHORITY_KEY_ID, _EXTENDED_KEY_USAGE})


@dataclass(frozen=True, slots=True)
class Extensions:
    """Basic constraints and key usage stay DER, which has exactly one form for each of their values."""

    basic_constraints: bytes
    key_usage: bytes
    subject_key_id: bytes
    authority_key_id: bytes | None

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Reads Extensions in DER; raises `RuleBroken` or `DERInvalid`."""
        extensions = _all(data)
        return cls(
            basic_constraints=_critical(extensions, _BASIC_CONSTRAINTS, Rule.C6),
            key_usage=_critical(extensions, _KEY_USAGE, Rule.C7),
            subject_key_id=_subject_key_id(extensions.get(_SUBJECT_KEY_ID)),
            authority_key_id=_authority_key_id(extensions.get(_AUTHORITY_KEY_ID)),
        )


@dataclass(frozen=True, slots=True)
class _Extension:
    critical: bool
    value: bytes


def _all(data: bytes) -> dict[bytes, _Extension]:
    whole = Reader(data)
    reader = whole.inside(der.SEQUENCE)
    whole.end()
    extensions: dict[bytes, _Extension] = {}
    while reader.next_tag is not None:
        oid, extension = _one(reader.inside(der.SEQUENCE))
        if oid in extensions:
            raise RuleBroken(Rule.C11, f"extension {oid.hex()} occurs twice")
        if extension.critical and oid not in _UNDERSTOOD:
            raise RuleBroken(Rule.C11, f"extension {oid.hex()} is critical and unknown")
        extensions[oid] = extension
    return extensions


def _one(item: Reader) -> tuple[bytes, _Extension]:
    oid = item.oid()
    try:
        return oid, _rest_of_one(item)
    except DERInvalid as exc:
        if oid in {_SUBJECT_KEY_ID, _AUTHORITY_KEY_ID}:
            raise RuleBroken(Rule.C10, f"key identifier: {exc}") from exc
        raise


def _rest_of_one(item: Reader) -> _Extension:
    critical = item.next_tag == der.BOOLEAN
    if critical and item.content(der.BOOLEAN) != b"\xff":
        raise DERInvalid("an extension spells out that it is not critical")
    value = item.content(der.OCTET_STRING)
    item.end()
    return _Extension(critical, value)


def _critical(extensions: dict[bytes, _Extension], oid: bytes, rule: Rule) -> bytes:
    extension = extensions.get(oid)
    if extension is None or not extension.critical:
        raise RuleBroken(rule, "missing" if extension is None else "not critical")
    return extension.value


def _subject_key_id(extension: _Extension | None) -> bytes:
    if extension is None or extension.critical:
        raise RuleBroken(Rule.C8, "missing" if extension is None else "critical")
    try:
        reader = Reader(extension.value)
        key_id = reader.content(der.OCTET_STRING)
        reader.end()
    except DERInvalid as exc:
        raise RuleBroken(Rule.C10, f"subject key identifier: {exc}") from exc
    if len(key_id) != KEY_ID_SIZE:
        raise RuleBroken(Rule.C8, f"{len(key_id)} bytes")
    return key_id


def _authority_key_id(extension: _Extension | None) -> bytes | None:
    if extension is None:
        return None
    if extension.critical:
        raise RuleBroken(Rule.C9, "critical")
    try:
        whole = Reader(extension.value)
        reader = whole.inside(der.SEQUENCE)
        whole.end()
        key_id = reader.content(der.context(0, constructed=False))
        while reader.next_tag is not None:
            reader.element()  # issuer and serial number may follow; commissioners ignore them
    except DERInvalid as exc:
        raise RuleBroken(Rule.C10, f"authority key identifier: {exc}") from exc
    if len(key_id) != KEY_ID_SIZE:
        raise RuleBroken(Rule.C9, f"{len(key_id)} bytes")
    return key_id
