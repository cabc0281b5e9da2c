# SPDX-License-Identifier: Apache-2.0
"""The certificate extensions that Matter requires, and the constraints in others: rules C6 to C11 and C14. Pure."""

from dataclasses import dataclass
from typing import Self

from station.matter.certificates import der
from station.matter.certificates.allowed_extensions import (
    EXTENDED_KEY_USAGE,
    NAME_CONSTRAINTS,
    POLICY_CONSTRAINTS,
    check_form,
    demands_policy,
    read_general_names,
)
from station.matter.certificates.der import DERInvalid, Reader
from station.matter.certificates.names import Name
from station.matter.certificates.rules import Rule, RuleBroken

KEY_ID_SIZE = 20
_SUBJECT_KEY_ID = der.oid("2.5.29.14")
_KEY_USAGE = der.oid("2.5.29.15")
_BASIC_CONSTRAINTS = der.oid("2.5.29.19")
_AUTHORITY_KEY_ID = der.oid("2.5.29.35")
_SERIAL_NUMBER = der.context(2, constructed=False)
_UNDERSTOOD = frozenset({_SUBJECT_KEY_ID, _KEY_USAGE, _BASIC_CONSTRAINTS, _AUTHORITY_KEY_ID, EXTENDED_KEY_USAGE})


@dataclass(frozen=True, slots=True)
class AuthorityKey:
    """The authority key identifier: the issuer's key and, if given, the issuer's own issuer and serial number."""

    key_id: bytes
    issuers: tuple[Name, ...] = ()
    serial_number: int | None = None


@dataclass(frozen=True, slots=True)
class Extensions:
    """Basic constraints and key usage stay DER, which has exactly one form for each of their values."""

    basic_constraints: bytes
    key_usage: bytes
    subject_key_id: bytes
    authority_key: AuthorityKey | None
    constrains_names: bool
    constrains_policies: bool
    demands_policy: bool

    @property
    def authority_key_id(self) -> bytes | None:
        return None if self.authority_key is None else self.authority_key.key_id

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Reads Extensions in DER; raises `RuleBroken` or `DERInvalid`."""
        extensions = _all(data)
        policy_constraints = extensions.get(POLICY_CONSTRAINTS)
        return cls(
            basic_constraints=_critical(extensions, _BASIC_CONSTRAINTS, Rule.C6),
            key_usage=_critical(extensions, _KEY_USAGE, Rule.C7),
            subject_key_id=_subject_key_id(extensions.get(_SUBJECT_KEY_ID)),
            authority_key=_authority_key(extensions.get(_AUTHORITY_KEY_ID)),
            constrains_names=NAME_CONSTRAINTS in extensions,
            constrains_policies=policy_constraints is not None,
            demands_policy=policy_constraints is not None and demands_policy(policy_constraints.value),
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
        try:
            check_form(oid, extension.value)
        except DERInvalid as exc:
            raise RuleBroken(Rule.C14, f"extension {oid.hex()}: {exc}") from exc
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


def _authority_key(extension: _Extension | None) -> AuthorityKey | None:
    if extension is None:
        return None
    if extension.critical:
        raise RuleBroken(Rule.C9, "critical")
    try:
        whole = Reader(extension.value)
        reader = whole.inside(der.SEQUENCE)
        whole.end()
        key_id = reader.content(der.context(0, constructed=False))
        issuers = tuple(read_general_names(reader.inside(der.context(1)))) if reader.next_tag == der.context(1) else ()
        serial_number = reader.integer(_SERIAL_NUMBER) if reader.next_tag == _SERIAL_NUMBER else None
        reader.end()
    except DERInvalid as exc:
        raise RuleBroken(Rule.C10, f"authority key identifier: {exc}") from exc
    if len(key_id) != KEY_ID_SIZE:
        raise RuleBroken(Rule.C9, f"{len(key_id)} bytes")
    return AuthorityKey(key_id, issuers, serial_number)
