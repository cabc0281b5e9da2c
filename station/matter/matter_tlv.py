# SPDX-License-Identifier: Apache-2.0
"""Matter TLV (Matter Core Specification, appendix A), as far as certification declarations and QR payloads need it.

Pure. That is one anonymous structure whose members have context tags, and are numbers, strings, bytes or arrays of
these.
"""

from collections.abc import Container, Mapping

Scalar = int | str | bytes
Member = Scalar | tuple[Scalar, ...]

_SIGNED, _UNSIGNED, _TEXT, _OCTETS, _ARRAY, _STRUCTURE, _END = 0x00, 0x04, 0x0C, 0x10, 0x16, 0x15, 0x18
_CONTEXT_TAG = 0x20
_SIZES = (1, 2, 4, 8)


class TLVInvalid(Exception):
    """The bytes are not a structure of this form."""


class Signed(int):
    """A number in an element of a signed type. It equals any other number of its value."""


def read_structure(data: bytes, *, signed: Container[int] = ()) -> dict[int, Member]:
    """The members by context tag, in their order; raises `TLVInvalid`. Only the tags in `signed` may have signed numbers."""
    reader = _Reader(data)
    reader.expect(_STRUCTURE)
    members: dict[int, Member] = {}
    while (control := reader.byte()) != _END:
        if control & 0xE0 != _CONTEXT_TAG:
            raise TLVInvalid(f"a member without a context tag: 0x{control:02X}")
        tag = reader.byte()
        if tag in members:
            raise TLVInvalid(f"member {tag} occurs twice")
        kind = control ^ _CONTEXT_TAG
        if kind in range(_SIGNED, _SIGNED + 4) and tag in signed:
            members[tag] = reader.signed(kind)
        else:
            members[tag] = reader.array() if kind == _ARRAY else reader.scalar(kind)
    reader.expect_end()
    return members


def write_structure(members: Mapping[int, int | str]) -> bytes:
    """A structure of these members, each number and length in as few bytes as it needs; a `Signed` in a signed element."""
    return bytes([_STRUCTURE]) + b"".join(_member(tag, value) for tag, value in members.items()) + bytes([_END])


def _member(tag: int, value: int | str) -> bytes:
    if isinstance(value, Signed):
        index = next(i for i, size in enumerate(_SIZES) if (value ^ value >> 64).bit_length() < 8 * size)
        return bytes([_CONTEXT_TAG | _SIGNED + index, tag]) + value.to_bytes(_SIZES[index], "little", signed=True)
    content = value.encode() if isinstance(value, str) else b""
    number = len(content) if isinstance(value, str) else value
    index = next(i for i, size in enumerate(_SIZES) if number < 1 << 8 * size)
    kind = (_TEXT if isinstance(value, str) else _UNSIGNED) + index
    return bytes([_CONTEXT_TAG | kind, tag]) + number.to_bytes(_SIZES[index], "little") + content


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) < size:
            raise TLVInvalid("cut off")
        self._at += size
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def expect(self, control: int) -> None:
        if self.byte() != control:
            raise TLVInvalid(f"element 0x{control:02X} is expected")

    def expect_end(self) -> None:
        if self._at != len(self._data):
            raise TLVInvalid(f"{len(self._data) - self._at} bytes too many")

    def signed(self, kind: int) -> Signed:
        return Signed(int.from_bytes(self.take(_SIZES[kind & 3]), "little", signed=True))

    def scalar(self, kind: int) -> Scalar:
        if kind not in range(_UNSIGNED, _UNSIGNED + 4) and kind not in range(_TEXT, _OCTETS + 4):
            raise TLVInvalid(f"an element 0x{kind:02X} that has no place here")
        number = int.from_bytes(self.take(_SIZES[kind & 3]), "little")
        if kind < _TEXT:
            return number
        content = self.take(number)
        if kind >= _OCTETS:
            return content
        try:
            return content.decode()
        except UnicodeDecodeError as exc:
            raise TLVInvalid("a string that is not UTF-8") from exc

    def array(self) -> tuple[Scalar, ...]:
        items: list[Scalar] = []
        while (control := self.byte()) != _END:
            items.append(self.scalar(control))
        return tuple(items)
