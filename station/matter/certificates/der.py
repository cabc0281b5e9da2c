# SPDX-License-Identifier: Apache-2.0
"""A strict reader of DER (X.690): definite, shortest lengths, nothing missing and nothing left over. Pure."""

from typing import Self

INTEGER, BIT_STRING, OCTET_STRING, OID = 0x02, 0x03, 0x04, 0x06
BOOLEAN, UTF8_STRING, PRINTABLE_STRING = 0x01, 0x0C, 0x13
TELETEX_STRING, IA5_STRING, VISIBLE_STRING, UNIVERSAL_STRING, BMP_STRING = 0x14, 0x16, 0x1A, 0x1C, 0x1E
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31
_LONG_FORM = 0x80


class DERInvalid(Exception):
    """The bytes are not the DER that is expected."""


def context(number: int, *, constructed: bool = True) -> int:
    """The tag of a context-specific element."""
    return 0x80 | (0x20 if constructed else 0) | number


def oid(dotted: str) -> bytes:
    """The content of an OBJECT IDENTIFIER."""
    first, second, *others = map(int, dotted.split("."))
    content = bytearray()
    for arc in (40 * first + second, *others):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(arc & 0x7F | 0x80)
        content += bytes(reversed(septets))
    return bytes(content)


class Reader:
    """Takes element after element from the front. Every refusal is `DERInvalid`."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    @property
    def next_tag(self) -> int | None:
        """The tag of the next element; None at the end."""
        return self._rest[0] if self._rest else None

    def element(self) -> tuple[int, bytes]:
        """Any element: its tag and its content."""
        header, length = self._header()
        tag, content = self._rest[0], self._rest[header : header + length]
        self._rest = self._rest[header + length :]
        return tag, content

    def content(self, tag: int) -> bytes:
        """The content of the next element, which must have this tag."""
        if self.next_tag != tag:
            found = "the end" if self.next_tag is None else f"0x{self.next_tag:02X}"
            raise DERInvalid(f"an element 0x{tag:02X} is expected, {found} found")
        return self.element()[1]

    def raw(self, tag: int) -> bytes:
        """The next element's bytes, with tag and length."""
        before = self._rest
        self.content(tag)
        return before[: len(before) - len(self._rest)]

    def inside(self, tag: int) -> Self:
        """A reader of what the next element contains."""
        return type(self)(self.content(tag))

    def oid(self, tag: int = OID) -> bytes:
        """The content of an OBJECT IDENTIFIER; each arc must be whole and in its shortest form."""
        content = self.content(tag)
        starts = (0, *(i + 1 for i, byte in enumerate(content) if byte < _LONG_FORM))
        if len(content) == 0 or starts[-1] != len(content) or any(content[i] == _LONG_FORM for i in starts[:-1]):
            raise DERInvalid("an invalid OBJECT IDENTIFIER")
        return content

    def integer(self, tag: int = INTEGER) -> int:
        """An INTEGER, in its shortest form."""
        content = self.content(tag)
        redundant = len(content) > 1 and content[0] in {0x00, 0xFF} and (content[0] ^ content[1]) < _LONG_FORM
        if not content or redundant:
            raise DERInvalid("an INTEGER is empty or longer than it need be")
        return int.from_bytes(content, "big", signed=True)

    def bits(self, tag: int = BIT_STRING) -> bytes:
        """A BIT STRING: the number of unused bits, then the bytes, whose unused bits are 0."""
        content = self.content(tag)
        unused = content[0] if content else 8
        if unused > min(7, 8 * len(content) - 8) or content[-1] & ((1 << unused) - 1):
            raise DERInvalid("an invalid BIT STRING")
        return content

    def end(self) -> None:
        """Raises unless all elements have been taken."""
        if self._rest:
            raise DERInvalid(f"{len(self._rest)} bytes too many")

    def _header(self) -> tuple[int, int]:
        """Lengths of header and content of the next element; raises unless all its bytes are there."""
        rest = self._rest
        if len(rest) < 2 or rest[0] & 0x1F == 0x1F:
            raise DERInvalid("cut off, or a tag of more than one byte")
        header, length = 2, rest[1]
        if length >= _LONG_FORM:
            header += length - _LONG_FORM
            length = int.from_bytes(rest[2:header], "big")
            if not 2 < header <= 4 or length < _LONG_FORM or (header == 4 and length < 0x100):
                raise DERInvalid("a length that is not in its shortest form")
        if len(rest) < header + length:
            raise DERInvalid("cut off")
        return header, length
