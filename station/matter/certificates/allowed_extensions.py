# SPDX-License-Identifier: Apache-2.0
"""The form of extensions that Matter allows but does not use (RFC 5280, 4.2.1): rule C14. Pure.

The libraries in commissioners read them all the same, and refuse the whole certificate for one that is malformed.
"""

from collections.abc import Callable, Mapping

from station.matter.certificates import der
from station.matter.certificates.der import DERInvalid, Reader
from station.matter.certificates.names import Name

ALTERNATIVE_NAME, NAME_CONSTRAINTS = der.oid("2.5.29.17"), der.oid("2.5.29.30")
DISTRIBUTION_POINTS, POLICIES, POLICY_MAPPINGS = der.oid("2.5.29.31"), der.oid("2.5.29.32"), der.oid("2.5.29.33")
POLICY_CONSTRAINTS, EXTENDED_KEY_USAGE, INHIBIT_ANY_POLICY = (der.oid(f"2.5.29.{last}") for last in (36, 37, 54))
_ANY_POLICY = der.oid("2.5.29.32.0")
_PRACTICE_STATEMENT, _USER_NOTICE = der.oid("1.3.6.1.5.5.7.2.1"), der.oid("1.3.6.1.5.5.7.2.2")
_DISPLAY_TEXT = (der.IA5_STRING, der.VISIBLE_STRING, der.BMP_STRING, der.UTF8_STRING)
_DIRECTORY_STRING = (der.PRINTABLE_STRING, der.TELETEX_STRING, der.UNIVERSAL_STRING, der.UTF8_STRING, der.BMP_STRING)
_DIRECTORY_NAME = 4


def check_form(oid: bytes, value: bytes) -> None:
    """Raises `DERInvalid` for the value of an extension that a commissioner reads and this is not the form of."""
    if read := _FORMS.get(oid):
        reader = Reader(value)
        read(reader)
        reader.end()


def read_general_names(reader: Reader) -> list[Name]:
    """Takes GeneralNames without their own tag; returns the directory names among them."""
    found: list[Name] = []
    while reader.next_tag is not None:
        if name := _general_name(reader):
            found.append(name)
    return found


def demands_policy(value: bytes) -> bool:
    """Whether policy constraints demand an acceptable policy from the certificate itself on."""
    reader = Reader(value).inside(der.SEQUENCE)
    tag = der.context(0, constructed=False)
    return reader.next_tag == tag and reader.integer(tag) == 0


def _general_name(reader: Reader) -> Name | None:
    match reader.next_tag:
        case 0xA0:  # otherName
            other = reader.inside(der.context(0))
            other.oid()
            value = other.inside(der.context(0))
            value.element()
            value.end()
            other.end()
        case 0x81 | 0x82 | 0x86 | 0x87 | 0xA3:  # strings, an address, and an X.400 address
            reader.element()
        case 0xA4:
            explicit = reader.inside(der.context(_DIRECTORY_NAME))
            name = Name.read(explicit.raw(der.SEQUENCE))
            explicit.end()
            return name
        case 0xA5:
            _edi_party_name(reader.inside(der.context(5)))
        case 0x88:
            reader.oid(der.context(8, constructed=False))
        case tag:
            raise DERInvalid(f"an element {tag and hex(tag)} among general names")
    return None


def _edi_party_name(reader: Reader) -> None:
    for tag in (0xA0, 0xA1):
        if tag in {reader.next_tag, 0xA1}:  # the first may be absent
            explicit = reader.inside(tag)
            if explicit.element()[0] not in _DIRECTORY_STRING:
                raise DERInvalid("a text of another type")
            explicit.end()
    reader.end()


def _general_names(reader: Reader) -> None:
    read_general_names(reader.inside(der.SEQUENCE))


def _distribution_points(reader: Reader) -> None:
    _all(reader.inside(der.SEQUENCE), _distribution_point)


def _distribution_point(reader: Reader) -> None:
    point = reader.inside(der.SEQUENCE)
    if point.next_tag == der.context(0):
        name = point.inside(der.context(0))
        if name.next_tag == der.context(1):
            Name.read_relative(name.inside(der.context(1)))
        else:
            read_general_names(name.inside(der.context(0)))
        name.end()
    if point.next_tag == (reasons := der.context(1, constructed=False)):
        point.bits(reasons)
    if point.next_tag == der.context(2):
        read_general_names(point.inside(der.context(2)))
    point.end()


def _extended_key_usage(reader: Reader) -> None:
    _all(reader.inside(der.SEQUENCE), Reader.oid)


def _name_constraints(reader: Reader) -> None:
    constraints = reader.inside(der.SEQUENCE)
    for subtrees in (der.context(0), der.context(1)):
        if constraints.next_tag == subtrees:
            _all(constraints.inside(subtrees), _subtree)
    constraints.end()


def _subtree(reader: Reader) -> None:
    subtree = reader.inside(der.SEQUENCE)
    _general_name(subtree)
    _optional_integers(subtree)


def _policies(reader: Reader) -> None:
    policies = reader.inside(der.SEQUENCE)
    found = [_policy(policies)]  # at least one
    while policies.next_tag is not None:
        found.append(_policy(policies))
    if len(set(found)) < len(found):
        raise DERInvalid("a policy occurs twice")


def _policy(reader: Reader) -> bytes:
    policy = reader.inside(der.SEQUENCE)
    oid = policy.oid()
    if policy.next_tag is not None:
        _all(policy.inside(der.SEQUENCE), _qualifier)
    policy.end()
    return oid


def _qualifier(reader: Reader) -> None:
    qualifier = reader.inside(der.SEQUENCE)
    match qualifier.oid():
        case oid if oid == _PRACTICE_STATEMENT:
            qualifier.content(der.IA5_STRING)
        case oid if oid == _USER_NOTICE:
            _user_notice(qualifier.inside(der.SEQUENCE))
        case _:
            qualifier.element()
    qualifier.end()


def _user_notice(notice: Reader) -> None:
    if notice.next_tag == der.SEQUENCE:
        reference = notice.inside(der.SEQUENCE)
        _display_text(reference)
        _all(reference.inside(der.SEQUENCE), Reader.integer)
        reference.end()
    if notice.next_tag is not None:
        _display_text(notice)
    notice.end()


def _display_text(reader: Reader) -> None:
    if reader.next_tag not in _DISPLAY_TEXT:
        raise DERInvalid("a text of another type")
    reader.element()


def _policy_mappings(reader: Reader) -> None:
    mappings = reader.inside(der.SEQUENCE)
    _policy_mapping(mappings)  # at least one
    _all(mappings, _policy_mapping)


def _policy_mapping(reader: Reader) -> None:
    mapping = reader.inside(der.SEQUENCE)
    if _ANY_POLICY in {mapping.oid(), mapping.oid()}:
        raise DERInvalid("a mapping of any policy")
    mapping.end()


def _policy_constraints(reader: Reader) -> None:
    constraints = reader.inside(der.SEQUENCE)
    if constraints.next_tag is None:
        raise DERInvalid("policy constraints without a constraint")
    _optional_integers(constraints)


def _optional_integers(reader: Reader) -> None:
    """Two numbers with the tags 0 and 1, either of which may be absent, and nothing else."""
    for tag in (der.context(0, constructed=False), der.context(1, constructed=False)):
        if reader.next_tag == tag:
            _check_not_negative(reader.integer(tag))
    reader.end()


def _inhibit_any_policy(reader: Reader) -> None:
    _check_not_negative(reader.integer())


def _check_not_negative(number: int) -> None:
    if number < 0:
        raise DERInvalid("a negative number of certificates")


def _all(reader: Reader, read: Callable[[Reader], object]) -> None:
    while reader.next_tag is not None:
        read(reader)


_FORMS: Mapping[bytes, Callable[[Reader], None]] = {
    ALTERNATIVE_NAME: _general_names,
    NAME_CONSTRAINTS: _name_constraints,
    DISTRIBUTION_POINTS: _distribution_points,
    POLICIES: _policies,
    POLICY_MAPPINGS: _policy_mappings,
    POLICY_CONSTRAINTS: _policy_constraints,
    EXTENDED_KEY_USAGE: _extended_key_usage,
    INHIBIT_ANY_POLICY: _inhibit_any_policy,
}
