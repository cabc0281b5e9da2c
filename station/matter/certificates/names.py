# SPDX-License-Identifier: Apache-2.0
"""Names in certificates and requests, and the vendor and product in them. Pure.

Matter Core Specification 6.2.2.2: in attributes of their own or, for old certificate authorities, in the common name.
"""

import re
from collections.abc import Iterator
from dataclasses import astuple, dataclass

from station.matter.certificates import der
from station.matter.certificates.der import DERInvalid, Reader
from station.matter.certificates.rules import Rule, RuleBroken

COMMON_NAME = der.oid("2.5.4.3")
VENDOR_ID = der.oid("1.3.6.1.4.1.37244.2.1")
PRODUCT_ID = der.oid("1.3.6.1.4.1.37244.2.2")
_COMMON_NAME_SIZE = 64  # a commissioner searches only so many bytes, whatever characters they are
_PRINTABLE = re.compile(rb"[A-Za-z0-9 '()+,\-./:=?]*")
_PREFIXES = (b"Mvid:", b"Mpid:")
_FOUR_DIGITS = "[0-9A-F]{4}"
_BLANKS = re.compile("[ \\t\\n\\v\\f\\r]+")


@dataclass(frozen=True, slots=True)
class Attribute:
    oid: bytes
    kind: int
    text: str
    octets: bytes

    def folded(self) -> tuple[bytes, str]:
        """The attribute without the differences that a comparison of names overlooks: string type, case of ASCII, blanks."""
        words = _BLANKS.sub(" ", self.text).strip(" ")
        return self.oid, "".join(letter.lower() if letter.isascii() else letter for letter in words)


@dataclass(frozen=True, slots=True)
class Name:
    """A distinguished name."""

    raw: bytes
    relatives: tuple[tuple[Attribute, ...], ...]

    @classmethod
    def read(cls, raw: bytes) -> "Name":
        """Reads a Name in DER; raises `DERInvalid`."""
        name = Reader(raw).inside(der.SEQUENCE)
        relatives: list[tuple[Attribute, ...]] = []
        while name.next_tag is not None:
            relatives.append(cls.read_relative(name.inside(der.SET)))
        return cls(raw, tuple(relatives))

    @staticmethod
    def read_relative(reader: Reader) -> tuple[Attribute, ...]:
        """Reads the attributes of one RelativeDistinguishedName, without its tag; raises `DERInvalid`."""
        attributes: list[Attribute] = []
        while reader.next_tag is not None:
            attributes.append(_attribute(reader.inside(der.SEQUENCE)))
        return tuple(attributes)

    @property
    def attributes(self) -> Iterator[Attribute]:
        return (attribute for relative in self.relatives for attribute in relative)

    def is_same_as(self, other: "Name") -> bool:
        """Whether both name the same, even if a certificate authority wrote one in strings of another type (RFC 5280, 7.1)."""
        return self.folded() == other.folded()

    def folded(self) -> list[list[tuple[bytes, str]]]:
        """The name without the differences that a comparison overlooks."""
        return [sorted(attribute.folded() for attribute in relative) for relative in self.relatives]

    def named(self, oid: bytes) -> list[Attribute]:
        return [attribute for attribute in self.attributes if attribute.oid == oid]


@dataclass(frozen=True, slots=True)
class Identifiers:
    """Vendor and product in a name; None where it has none."""

    vendor_id: int | None
    product_id: int | None

    def __str__(self) -> str:
        vendor, product = ("none" if number is None else f"0x{number:04X}" for number in astuple(self))
        return f"vendor {vendor}, product {product}"

    @classmethod
    def of(cls, name: Name) -> "Identifiers":
        """Raises `RuleBroken` if the name breaks V1, V3 or V5."""
        common_names = name.named(COMMON_NAME)
        if not all(attribute.octets for attribute in common_names):
            raise RuleBroken(Rule.V5, "the subject has an empty common name")
        in_common_name = _in_common_names([attribute.octets[:_COMMON_NAME_SIZE] for attribute in common_names])
        vendors, products = name.named(VENDOR_ID), name.named(PRODUCT_ID)
        if vendors or products:  # rule V2: with such attributes the common name does not count
            return cls(_own(vendors, "vendor"), _own(products, "product"))
        return cls(*in_common_name)


def named_subject(common_name: str, vendor_id: int, product_id: int) -> bytes:
    """The Name in DER with these three, each a UTF8String; the common name has at most 32 bytes."""
    texts = ((COMMON_NAME, common_name), (VENDOR_ID, f"{vendor_id:04X}"), (PRODUCT_ID, f"{product_id:04X}"))
    return _short(der.SEQUENCE, *(_relative(oid, text.encode()) for oid, text in texts))


def _relative(oid: bytes, text: bytes) -> bytes:
    return _short(der.SET, _short(der.SEQUENCE, _short(der.OID, oid), _short(der.UTF8_STRING, text)))


def _short(tag: int, *contents: bytes) -> bytes:
    """An element of fewer than 128 bytes."""
    content = b"".join(contents)
    return bytes([tag, len(content)]) + content


def _attribute(reader: Reader) -> Attribute:
    oid = reader.oid()
    kind, value = reader.element()
    reader.end()
    try:
        return Attribute(oid, kind, _text(kind, value), value)
    except UnicodeDecodeError as exc:
        raise DERInvalid("a string that does not fit its type") from exc


def _text(kind: int, value: bytes) -> str:
    match kind:
        case der.UTF8_STRING:
            return value.decode("utf-8")
        case der.PRINTABLE_STRING if _PRINTABLE.fullmatch(value):
            return value.decode("ascii")
        case der.IA5_STRING:
            return value.decode("ascii")
        case der.TELETEX_STRING:  # in old roots
            return value.decode("latin-1")
        case _:
            raise DERInvalid(f"a name with an element 0x{kind:02X}, or characters that such a string cannot have")


def _own(attributes: list[Attribute], what: str) -> int | None:
    if not attributes:
        return None
    if len(attributes) > 1:
        raise RuleBroken(Rule.V1, f"the {what} occurs {len(attributes)} times in one name")
    (attribute,) = attributes
    if attribute.kind not in {der.UTF8_STRING, der.PRINTABLE_STRING}:
        kind = "an IA5String" if attribute.kind == der.IA5_STRING else "a TeletexString"
        raise RuleBroken(Rule.V1, f"the {what} is {kind}, where UTF8String or PrintableString is required")
    if not re.fullmatch(_FOUR_DIGITS, attribute.text):
        raise RuleBroken(Rule.V1, f"the {what} {attribute.text!a} is not four upper-case hexadecimal digits")
    return int(attribute.text, 16)


def _in_common_names(common_names: list[bytes]) -> tuple[int | None, int | None]:
    """Vendor and product of the first common name that has either; a later one must not have the same again."""
    for at, text in enumerate(common_names):
        numbers = _in_common_name(text)
        if numbers == (None, None):
            continue
        given = [prefix for prefix, number in zip(_PREFIXES, numbers, strict=True) if number is not None]
        if any(prefix in later for later in common_names[at + 1 :] for prefix in given):
            raise RuleBroken(Rule.V3, "two common names have a vendor or a product")
        return numbers
    return None, None


def _in_common_name(text: bytes) -> tuple[int | None, int | None]:
    vendor_id, product_id = (_after(prefix, text) for prefix in _PREFIXES)
    return vendor_id, product_id


def _after(prefix: bytes, text: bytes) -> int | None:
    # The first complete one counts, even behind one that is malformed.
    match = re.search(prefix + b"(" + _FOUR_DIGITS.encode() + b")", text)
    if prefix in text and not match:
        shown = text.decode("latin-1")
        raise RuleBroken(Rule.V3, f"{shown!a} has {prefix.decode()} without four upper-case hexadecimal digits")
    return int(match[1], 16) if match else None
