# SPDX-License-Identifier: Apache-2.0
"""Names in certificates and requests, and the vendor and product in them. Pure.

Matter Core Specification 6.2.2.2: in attributes of their own or, for old certificate authorities, in the common name.
"""

import re
from dataclasses import astuple, dataclass

from station.matter.certificates import der
from station.matter.certificates.der import DERInvalid, Reader
from station.matter.certificates.rules import Rule, RuleBroken

COMMON_NAME = der.oid("2.5.4.3")
VENDOR_ID = der.oid("1.3.6.1.4.1.37244.2.1")
PRODUCT_ID = der.oid("1.3.6.1.4.1.37244.2.2")
_COMMON_NAME_SIZE = 64  # a commissioner reads only so many attributes
_PRINTABLE = re.compile(rb"[A-Za-z0-9 '()+,\-./:=?]*")
_FOUR_DIGITS = "[0-9A-F]{4}"


@dataclass(frozen=True, slots=True)
class Attribute:
    oid: bytes
    kind: int
    text: str


@dataclass(frozen=True, slots=True)
class Name:
    """A distinguished name; names are compared by their `raw` bytes."""

    raw: bytes
    attributes: tuple[Attribute, ...]

    @classmethod
    def read(cls, raw: bytes) -> "Name":
        """Reads a Name in DER; raises `DERInvalid`."""
        name = Reader(raw).inside(der.SEQUENCE)
        attributes: list[Attribute] = []
        while name.next_tag is not None:
            relative = name.inside(der.SET)
            while relative.next_tag is not None:
                attributes.append(_attribute(relative.inside(der.SEQUENCE)))
        return cls(raw, tuple(attributes))

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
        """Raises `RuleBroken` if the name breaks V1 or V3."""
        vendors, products = name.named(VENDOR_ID), name.named(PRODUCT_ID)
        if vendors or products:  # rule V2: with such attributes the common name is not read
            return cls(_own(vendors, "vendor"), _own(products, "product"))
        common = [attribute.text[:_COMMON_NAME_SIZE] for attribute in name.named(COMMON_NAME)]
        return cls(_in_common_name(common, "Mvid:"), _in_common_name(common, "Mpid:"))


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
        return Attribute(oid, kind, _text(kind, value))
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
    if attribute.kind not in {der.UTF8_STRING, der.PRINTABLE_STRING} or not re.fullmatch(_FOUR_DIGITS, attribute.text):
        raise RuleBroken(Rule.V1, f"the {what} {attribute.text!a} is not four upper-case hexadecimal digits")
    return int(attribute.text, 16)


def _in_common_name(common_names: list[str], prefix: str) -> int | None:
    found = [text for text in common_names if prefix in text]
    if not found:
        return None
    # The first complete one counts, even behind one that is malformed.
    match = re.search(f"{prefix}({_FOUR_DIGITS})", found[0])
    if len(found) > 1 or not match:
        raise RuleBroken(Rule.V3, f"{found[0]!a} has {prefix} without four upper-case hexadecimal digits, or twice")
    return int(match[1], 16)
