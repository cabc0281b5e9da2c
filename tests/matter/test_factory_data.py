# SPDX-License-Identifier: Apache-2.0
"""The bytes of ST's factory data: encoding, decoding, and refusals."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.factory_data.flat_tlv import (
    BLOCK_SIZE,
    FORMS,
    OFFSET_IN_FLASH,
    REGION_SIZE,
    FactoryData,
    Number,
    Tag,
    decode,
    decode_readback,
    encode,
)
from station.factory_data.st_json import from_json
from station.faults.line import FactoryDataInvalid
from station.faults.unit import ReadbackInvalid
from station.matter.onboarding.passcode import Discriminator, Passcode

ST = Path(__file__).parents[1] / "vectors" / "st"
END = bytes.fromhex("acacacac")
SMALL = FactoryData({Tag.VENDOR_ID: b"\xf1\xff", Tag.VENDOR_NAME: b"ACME", Tag.SETUP_DISCRIMINATOR: b"\x00\x0f"})
BLOCK = encode(SMALL)


def st_sample(name: str) -> FactoryData:
    return from_json((ST / f"{name}.json").read_bytes())


def record(tag: int, value: bytes, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    return tag.to_bytes(4, "little") + size.to_bytes(4, "little") + value


def judged(data: bytes) -> FactoryData | FactoryDataInvalid:
    try:
        return decode(data)
    except FactoryDataInvalid as fault:
        return fault


def refused(data: bytes) -> FactoryDataInvalid:
    fault = judged(data)
    assert isinstance(fault, FactoryDataInvalid)
    return fault


@pytest.mark.parametrize("line", (ST / "expected.sha256").read_text().splitlines())
def test_the_bytes_are_those_of_the_tool_of_st(line: str) -> None:
    """ST's own inputs give the block that ST's tool writes."""
    expected, name = line.split()
    assert hashlib.sha256(encode(st_sample(Path(name).stem))).hexdigest() == expected


def test_a_small_block_has_these_bytes() -> None:
    """Tags ascend, numbers are little-endian, strings have no NUL, the magic word ends the list."""
    assert BLOCK.hex() == "0b00000002000000000f" + "150000000400000041434d45" + "1600000002000000f1ff" + "acacacac"


@pytest.mark.parametrize("name", ["Full_FactoryData", "Provisioning_FactoryData"])
def test_what_was_encoded_decodes(name: str) -> None:
    """Reading a block gives the records it was built from."""
    assert decode(encode(st_sample(name))) == st_sample(name)


@pytest.mark.parametrize("end", [END, END + b"\xff" * 4, END + b"\xff" * 40, END + b"\xff\xff\xff\xff" + b"other"])
def test_both_ends_are_read(end: bytes) -> None:
    """The magic word may have no length, or the length that the firmware writes; bytes after it are ignored."""
    assert decode(BLOCK[:-4] + end) == SMALL


def test_what_the_firmware_appended_is_read() -> None:
    """On a provisioned board certificates and keys follow the PC tool's records, out of order."""
    data = st_sample("Full_FactoryData")
    late = (3, 4, 6, 5)
    first = FactoryData({tag: value for tag, value in data.records.items() if tag not in late})
    appended = b"".join(record(tag, data.records[Tag(tag)]) for tag in late)
    assert decode(encode(first)[:-4] + appended + END + b"\xff" * 4) == data


@pytest.mark.parametrize(("start", "size"), [(0, BLOCK_SIZE), (0, REGION_SIZE), (OFFSET_IN_FLASH, 0x200000)])
def test_a_dump_is_read_where_the_block_is(start: int, size: int) -> None:
    """The block is found in a dump of itself, of its region, and of the whole flash from 0x90000000."""
    dump = bytearray(b"\xff" * size)
    dump[start : start + len(BLOCK)] = BLOCK
    assert decode(bytes(dump)) == SMALL


def test_the_offset_of_a_refusal_is_that_in_the_dump() -> None:
    """The offset leads to the place in the dump."""
    dump = b"\xff" * OFFSET_IN_FLASH + BLOCK[:-4] + record(99, b"x") + END
    assert refused(dump).place == f"offset 0x{OFFSET_IN_FLASH + len(BLOCK) - 4:X}"


@pytest.mark.parametrize("length", range(len(BLOCK)))
def test_a_block_that_is_cut_off_is_refused(length: int) -> None:
    assert refused(BLOCK[:length]).place.startswith("offset")


@pytest.mark.parametrize("bit", range(len(BLOCK) * 8))
def test_a_flipped_bit_gives_other_data_or_a_refusal(bit: int) -> None:
    """No flipped bit gives the same data; no other error is raised."""
    flipped = (int.from_bytes(BLOCK, "big") ^ 1 << bit).to_bytes(len(BLOCK), "big")
    assert judged(flipped) != SMALL


@settings(max_examples=200, derandomize=True)
@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([BLOCK[:-4], END, record(21, b"x")]))))
def test_garbage_is_refused_by_name(parts: list[bytes]) -> None:
    """Any bytes give factory data, or `FactoryDataInvalid`."""
    assert isinstance(judged(b"".join(parts)), FactoryData | FactoryDataInvalid)


REFUSED = {
    "the end mark 0xACACACAC is missing": BLOCK[:-4],
    "erased flash": b"\xff" * 64,
    "cut off within its tag": BLOCK[:-4] + b"\x18\0\0\0\x02\0",
    "cut off: 1 of 2": BLOCK[:-4] + record(24, b"x", length=2),
    "length 603": record(1, b"x" * 603) + END,
    "length 0": record(21, b"") + END,
    "length 4294967295": record(21, b"x", length=0xFFFFFFFF) + END,
    "no tag 99": record(99, b"x") + END,
    "VENDOR_NAME occurs twice": BLOCK[:-4] + record(21, b"ACME") + END,
    "must be followed by nothing or by 0xFFFFFFFF": BLOCK + b"\0\0\0\0",
    "VENDOR_ID: 3 bytes": record(22, b"xxx") + END,
    "VENDOR_NAME: not UTF-8": record(21, b"\xff\xfe") + END,
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_broken_list_is_refused_for_what_is_wrong(reason: str) -> None:
    """The reason has the actual and the expected content."""
    assert reason in refused(REFUSED[reason]).reason


def test_every_bad_record_is_named_at_once() -> None:
    """A list with bad values is still read to its end."""
    fault = refused(record(99, b"x") + record(22, b"xxx") + record(21, b"ACME") + record(21, b"ACME") + END)
    assert [word in str(fault) for word in ("no tag 99", "VENDOR_ID", "occurs twice")] == [True] * 3


def test_a_torn_readback_is_the_fault_of_the_board() -> None:
    """One bad board never pauses the line."""
    with pytest.raises(ReadbackInvalid, match="end mark"):
        decode_readback(BLOCK[:-4])


@pytest.mark.parametrize(
    ("tag", "value", "reason"),
    [
        (Tag.SETUP_DISCRIMINATOR, b"\x00\x10", "0 to 4095"),
        (Tag.SPAKE2_ITERATION_COUNT, (999).to_bytes(4, "little"), "1000 to 100000"),
        (Tag.SPAKE2_ITERATION_COUNT, (100_001).to_bytes(4, "little"), "1000 to 100000"),
        (Tag.SPAKE2_SALT, bytes(15), "16 to 32"),
        (Tag.SPAKE2_SALT, bytes(33), "16 to 32"),
        (Tag.SPAKE2_VERIFIER, bytes(96), "exactly 97"),
        (Tag.SPAKE2_SETUP_PASSCODE, bytes(4), "1 to 99999998"),
        (Tag.SPAKE2_SETUP_PASSCODE, (12345678).to_bytes(4, "little"), "trivial"),
        (Tag.DEVICE_ATTESTATION_CERTIFICATE, bytes(601), "1 to 600"),
        (Tag.PAI_CERTIFICATE, bytes(601), "1 to 600"),
        (Tag.CERTIFICATION_DECLARATION, bytes(603), "1 to 602"),
        (Tag.DEVICE_ATTESTATION_PRIV_KEY, bytes(33), "exactly 32"),
        (Tag.DEVICE_ATTESTATION_PUB_KEY, b"\x04" + bytes(63), "exactly 65"),
        (Tag.DEVICE_ATTESTATION_PUB_KEY, b"\x02" + bytes(64), "begin with 04"),
        (Tag.VENDOR_NAME, b"", "1 to 602"),
        (Tag.VENDOR_NAME, b"x" * 603, "1 to 602"),
        (Tag.HARDWARE_VERSION, b"\x01", "exactly 2"),
    ],
)
def test_a_value_beyond_its_limits_cannot_be_built(tag: Tag, value: bytes, reason: str) -> None:
    """The constructor refuses values that the firmware could not use."""
    with pytest.raises(FactoryDataInvalid, match=reason) as caught:
        FactoryData({tag: value})
    assert caught.value.place == tag.name


def longest(tag: Tag) -> bytes:
    form = FORMS[tag]
    if isinstance(form, Number):
        return form.allowed[-1].to_bytes(form.size, "little")
    return (b"\x04" + b"x" * 601)[: form.longest]


def test_all_records_at_their_longest_fit_in_the_block() -> None:
    """So no check of the total size is needed."""
    assert len(encode(FactoryData({tag: longest(tag) for tag in Tag})) + bytes(4)) <= BLOCK_SIZE


def test_every_tag_has_a_form() -> None:
    """Every record's value is checked."""
    assert set(FORMS) == set(Tag)


def test_factory_data_reads_as_what_it_means() -> None:
    """Properties give numbers, texts, passcode and discriminator."""
    data = st_sample("Full_FactoryData")
    assert data.number(Tag.VENDOR_ID) == 0xFFF1
    assert data.text(Tag.SERIAL_NUMBER) == "TEST_SN"
    assert data.passcode == Passcode(20202021)
    assert data.discriminator == Discriminator(0xF00)


def test_what_is_absent_is_none() -> None:
    """An absent value is neither zero nor empty."""
    empty = FactoryData({})
    assert [empty.number(Tag.VENDOR_ID), empty.text(Tag.VENDOR_NAME), empty.octets(Tag.SPAKE2_SALT)] == [None] * 3
    assert empty.passcode is None
    assert empty.discriminator is None


def test_factory_data_does_not_follow_its_source() -> None:
    """Changing the source mapping does not change the value."""
    source: dict[Tag, bytes] = {Tag.VENDOR_NAME: b"ACME"}
    data: Mapping[Tag, bytes] = FactoryData(source).records
    source[Tag.VENDOR_NAME] = b"other"
    assert data[Tag.VENDOR_NAME] == b"ACME"


def test_no_secret_shows_in_the_repr() -> None:
    """A log line or a traceback shows no secret."""
    assert repr(st_sample("Full_FactoryData")) == "<FactoryData, 17 records>"
