# SPDX-License-Identifier: Apache-2.0
"""Matter TLV: the part that declarations and QR codes use."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.matter.matter_tlv import Member, Signed, TLVInvalid, read_structure, write_structure


@pytest.mark.parametrize(
    ("data", "members"),
    [
        ("15 18", {}),
        ("15 24 00 01 18", {0: 1}),
        ("15 25 01 f1ff 18", {1: 0xFFF1}),
        ("15 26 03 78563412 18", {3: 0x12345678}),
        ("15 27 03 efcdab8967452301 18", {3: 0x0123456789ABCDEF}),
        ("15 2c 04 01 41 18", {4: "A"}),
        ("15 2d 04 0100 41 18", {4: "A"}),
        ("15 30 02 02 aabb 18", {2: b"\xaa\xbb"}),
        ("15 36 02 05 0080 04 01 18 18", {2: (0x8000, 1)}),
        ("15 24 05 00 24 01 00 18", {5: 0, 1: 0}),
    ],
)
def test_a_structure_is_read_in_its_order(data: str, members: dict[int, Member]) -> None:
    """Numbers, texts, bytes and arrays may have any width."""
    read = read_structure(bytes.fromhex(data))
    assert (read, list(read)) == (members, list(members))


@pytest.mark.parametrize(
    "data",
    [
        "",
        "15",
        "16 18",
        "15 18 00",
        "15 24 00",
        "15 24 00 01",
        "15 04 01 18",
        "15 44 00 00 01 18",
        "15 24 00 01 24 00 01 18",
        "15 20 00 01 18",
        "15 28 00 18",
        "15 34 00 18",
        "15 35 00 18 18",
        "15 36 00 16 18 18 18",
        "15 36 00 24 00 01 18 18",
        "15 2c 00 02 41 18",
        "15 2c 00 01 ff 18",
        "15 2f 00 ffffffffffffffff 41 18",
    ],
)
def test_anything_else_is_refused(data: str) -> None:
    """Other types, other tags, truncated input, and trailing bytes are refused."""
    with pytest.raises(TLVInvalid):
        read_structure(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("members", "data"),
    [
        ({0: "SN"}, "15 2c 00 02 534e 18"),
        ({0: 255}, "15 24 00 ff 18"),
        ({0: 256}, "15 25 00 0001 18"),
        ({0: (1 << 64) - 1}, "15 27 00 ffffffffffffffff 18"),
    ],
)
def test_a_structure_is_written_in_as_few_bytes_as_it_needs(members: dict[int, int | str], data: str) -> None:
    """The CHIP SDK writes the same form."""
    assert write_structure(members) == bytes.fromhex(data)


@settings(max_examples=200, derandomize=True)
@given(
    st.dictionaries(
        st.integers(0, 255), st.one_of(st.integers(0, (1 << 64) - 1), st.text("aé", max_size=300)), max_size=5
    )
)
def test_what_is_written_is_read(members: dict[int, int | str]) -> None:
    """Every structure that can be written reads back equal."""
    assert read_structure(write_structure(members)) == members


@pytest.mark.parametrize(
    ("number", "data"),
    [
        (0, "20 80 00"),
        (-1, "20 80 ff"),
        (127, "20 80 7f"),
        (-128, "20 80 80"),
        (128, "21 80 8000"),
        (-129, "21 80 7fff"),
        (-(1 << 31), "22 80 00000080"),
        (1 << 31, "23 80 0000008000000000"),
        (-(1 << 63), "23 80 0000000000000080"),
    ],
)
def test_signed_numbers_are_read_and_written_where_they_are_allowed(number: int, data: str) -> None:
    """Elsewhere they are refused: no declaration has one."""
    structure = bytes.fromhex(f"15 {data} 18")
    read = read_structure(structure, signed={0x80})
    assert (read, type(read[0x80])) == ({0x80: number}, Signed)
    assert write_structure({0x80: Signed(number)}) == structure
    with pytest.raises(TLVInvalid):
        read_structure(structure, signed={0x81})
