# SPDX-License-Identifier: Apache-2.0
"""Spoils bytes as files, flash and wires do, and as an attacker would."""

from collections.abc import Callable, Sequence
from random import Random

INTERESTING = (
    0x00,
    0x01,
    0x02,
    0x03,
    0x04,
    0x05,
    0x06,
    0x0C,
    0x15,
    0x18,
    0x1F,
    0x30,
    0x31,
    0x7F,
    0x80,
    0x81,
    0x82,
    0x84,
    0xA0,
    0xFE,
    0xFF,
)
Change = Callable[[Random, bytearray, Sequence[bytes]], None]


def mutated(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """`data` after one to four changes; pieces may come from `others`."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        rng.choice(CHANGES)(rng, changed, others)
    return bytes(changed)


def _place(rng: Random, data: bytearray) -> int:
    return rng.randrange(len(data) + 1)


def _flip_a_bit(rng: Random, data: bytearray, _others: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set_a_byte(rng: Random, data: bytearray, _others: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice(INTERESTING)


def _set_two_bytes(rng: Random, data: bytearray, _others: Sequence[bytes]) -> None:
    at = _place(rng, data)
    data[at : at + 2] = bytes(rng.choices(INTERESTING, k=2))


def _insert(rng: Random, data: bytearray, _others: Sequence[bytes]) -> None:
    at = _place(rng, data)
    data[at:at] = bytes(rng.choices(INTERESTING, k=rng.randint(1, 8)))


def _remove(rng: Random, data: bytearray, _others: Sequence[bytes]) -> None:
    at = _place(rng, data)
    del data[at : at + rng.randint(1, 16)]


def _repeat(rng: Random, data: bytearray, _others: Sequence[bytes]) -> None:
    at = _place(rng, data)
    data[at:at] = data[at : at + rng.randint(1, 64)]


def _cut_off(rng: Random, data: bytearray, _others: Sequence[bytes]) -> None:
    del data[_place(rng, data) :]


def _exchange(rng: Random, data: bytearray, _others: Sequence[bytes]) -> None:
    first, second = sorted((_place(rng, data), _place(rng, data)))
    size = rng.randint(1, 8)
    data[first : first + size], data[second : second + size] = data[second : second + size], data[first : first + size]


def _take_from_another(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:
    other, at = rng.choice(others), _place(rng, data)
    start, size = rng.randrange(len(other) + 1), rng.randint(1, 128)
    data[at : at + size] = other[start : start + size]


def _change_inside(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:
    """Changes one element of DER and corrects all lengths around it, so that a check of lengths alone passes."""
    data[:] = _rebuilt(rng, bytes(data), others)


def _rebuilt(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    elements = _elements(data)
    if not elements:
        return mutated(rng, data, others)
    at = rng.randrange(len(elements))
    tag, content = elements[at]
    match rng.randrange(8):
        case 0:
            elements[at : at + 1] = [(tag, content)] * 2
        case 1:
            del elements[at]
        case 2:
            elements.insert(rng.randrange(len(elements)), elements.pop(at))
        case 3:
            elements[at] = (rng.choice(INTERESTING), content)
        case _:
            elements[at] = (tag, _rebuilt(rng, content, others))
    return b"".join(bytes([tag]) + _length(len(content)) + content for tag, content in elements)


def _elements(data: bytes) -> list[tuple[int, bytes]]:
    """Tags and contents of DER elements that fill `data`; none if they do not."""
    found: list[tuple[int, bytes]] = []
    while data:
        head = 2 + max(data[1] - 0x80, 0) if len(data) > 1 else 2
        size = int.from_bytes(data[2:head], "big") if head > 2 else data[1] if len(data) > 1 else 0
        if len(data) < head + size or head > 4:
            return []
        found.append((data[0], data[head : head + size]))
        data = data[head + size :]
    return found


def _length(size: int) -> bytes:
    if size < 0x80:
        return bytes([size])
    return bytes([0x81, size]) if size < 0x100 else b"\x82" + size.to_bytes(2, "big")


CHANGES: tuple[Change, ...] = (
    _flip_a_bit,
    _flip_a_bit,
    _set_a_byte,
    _set_two_bytes,
    _insert,
    _remove,
    _repeat,
    _cut_off,
    _exchange,
    _take_from_another,
    *[_change_inside] * 8,
)
