# SPDX-License-Identifier: Apache-2.0
"""Both commissioners read exactly the QR codes for which the station has no warning."""

from collections.abc import Iterator
from itertools import product

import pytest

from station.faults.line import OnboardingCodeInvalid
from station.matter.onboarding import base38, commissioners
from station.matter.onboarding.codes import parse_qr_code
from tests.commissioning.code_readers import values_read

pytestmark = [pytest.mark.commissioning, pytest.mark.timeout(900)]

PAYLOAD = base38.decode("Y.K9042C00KA0648G00")
TAGS = (0x00, 0x03, 0x04, 0x80, 0xFE)
CONTENTS = ("0", "7f", "80", "ff", "ffff", "7fffffff", "80000000", "ffffffff", "100000000", "7fffffffffffffff")
BEHIND = ("", "24 00 07", "2c 00 02 4142", "20 81 01", "30 82 02 0102", "2c 83 03 414243")


def elements(tag: int) -> Iterator[bytes]:
    """Numbers of all types, texts, bytes, and an array."""
    for kind, content in product(range(8), CONTENTS):
        number, size = int(content, 16), 1 << (kind & 3)
        if number < 1 << 8 * size:
            yield bytes([0x20 | kind, tag]) + number.to_bytes(size, "little")
    for size in range(1, 6):
        yield bytes([0x2C, tag, size]) + b"A" * size
    yield bytes([0x2D, tag, 2, 0]) + b"AB"
    yield bytes([0x30, tag, 1, 0x41])
    yield bytes([0x36, tag, 0x04, 0x01, 0x18])


def valid_codes() -> list[str]:
    """The ones that the station accepts, among codes with one or two members."""
    structures = [b"\x15\x18", *(b"\x15" + element + bytes.fromhex(more) + b"\x18" for element, more in pairs())]
    codes = ["MT:" + base38.encode(PAYLOAD + structure) for structure in structures]
    return ["MT:" + base38.encode(PAYLOAD), *filter(is_valid, codes)]


def pairs() -> Iterator[tuple[bytes, str]]:
    return product((element for tag in TAGS for element in elements(tag)), BEHIND)


def is_valid(code: str) -> bool:
    try:
        parse_qr_code(code)
    except OnboardingCodeInvalid:
        return False
    return True


@pytest.mark.parametrize("name", [commissioners.CHIP, commissioners.MATTER_JS])
def test_a_commissioner_reads_exactly_the_codes_without_a_warning(name: str) -> None:
    """The codes have members of every type and width, behind one another."""
    codes = valid_codes()
    read = [values is not None for values in values_read(name, codes)]
    expected = [not any(name in reason for reason in commissioners.unable(code)) for code in codes]
    assert {True, False} == set(read)
    assert [code for code, saw, meant in zip(codes, read, expected, strict=True) if saw != meant] == []
