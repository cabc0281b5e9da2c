# SPDX-License-Identifier: Apache-2.0
"""Matter's limits for the records that describe a device."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from station.factory_data.device_information import (
    check_device_information,
    manufacturing_date,
    mistakes_in,
    rotating_device_id,
    terminated,
)
from station.factory_data.flat_tlv import FactoryData, Tag
from station.factory_data.st_json import from_json
from station.faults.line import FactoryDataInvalid

FULL = Path(__file__).parents[1] / "vectors" / "st" / "Full_FactoryData.json"


def wrong(tag: Tag, value: bytes) -> list[str]:
    return [mistake.place for mistake in mistakes_in(FactoryData({tag: value}))]


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (Tag.VENDOR_NAME, b"x" * 32),
        (Tag.VENDOR_NAME, "é".encode() * 16),
        (Tag.PRODUCT_NAME, b"x" * 32 + b"\0"),
        (Tag.SERIAL_NUMBER, b"S" * 32),
        (Tag.HARDWARE_VERSION_STRING, b"x" * 64),
        (Tag.MANUFACTURING_DATE, b"20240229"),
        (Tag.MANUFACTURING_DATE, b"20261122LINE0001"),
        (Tag.ROTATING_DEVICE_ID, b"0123456789abcdef" * 2),
        (Tag.ROTATING_DEVICE_ID, b"0123456789ABCDEF" * 4),
        (Tag.VENDOR_ID, b"\xf1\xff"),
        (Tag.PRODUCT_ID, b"\xff\xff"),
    ],
)
def test_what_matter_allows_passes(tag: Tag, value: bytes) -> None:
    """Values may reach each limit, and may have the NUL that newer firmware needs."""
    assert wrong(tag, value) == []


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (Tag.VENDOR_NAME, b"x" * 33),
        (Tag.VENDOR_NAME, "é".encode() * 17),
        (Tag.VENDOR_NAME, b"\0"),
        (Tag.PRODUCT_NAME, b"a\nb"),
        (Tag.SERIAL_NUMBER, b"S" * 33),
        (Tag.HARDWARE_VERSION_STRING, b"x" * 65),
        (Tag.HARDWARE_VERSION_STRING, b"1.0\0"),
        (Tag.MANUFACTURING_DATE, b"2026112"),
        (Tag.MANUFACTURING_DATE, b"20260229"),
        (Tag.MANUFACTURING_DATE, b"22-11-2026"),
        (Tag.MANUFACTURING_DATE, b"20261122LINE00012"),
        (Tag.ROTATING_DEVICE_ID, b"0123456789abcdef"),
        (Tag.ROTATING_DEVICE_ID, b"0123456789abcdef" * 4 + b"00"),
        (Tag.ROTATING_DEVICE_ID, b"g123456789abcdef" * 2),
        (Tag.VENDOR_ID, b"\xf5\xff"),
        (Tag.VENDOR_ID, b"\0\0"),
        (Tag.PRODUCT_ID, b"\0\0"),
    ],
)
def test_what_matter_does_not_allow_is_named(tag: Tag, value: bytes) -> None:
    """The message has the record's name."""
    assert wrong(tag, value) == [tag.name]


def test_all_mistakes_are_refused_at_once() -> None:
    """The refusal lists every mistake of a recipe."""
    with pytest.raises(FactoryDataInvalid) as caught:
        check_device_information(FactoryData({Tag.VENDOR_NAME: b"x" * 33, Tag.VENDOR_ID: b"\0\0"}))
    assert caught.value.place == "VENDOR_NAME"
    assert "VENDOR_ID: 0x0000" in caught.value.reason


def test_the_sample_of_st_is_allowed() -> None:
    """ST's sample passes although it lacks optional records."""
    check_device_information(from_json(FULL.read_bytes()))
    assert mistakes_in(FactoryData({})) == []


def test_three_strings_are_terminated_once() -> None:
    """These are the strings that firmware reads into a buffer that it may not have cleared."""
    data = FactoryData({Tag.VENDOR_NAME: b"ACME", Tag.SERIAL_NUMBER: b"1", Tag.MANUFACTURING_DATE: b"20261122"})
    assert terminated(data).records == {
        Tag.VENDOR_NAME: b"ACME\0",
        Tag.SERIAL_NUMBER: b"1\0",
        Tag.MANUFACTURING_DATE: b"20261122",
    }
    assert terminated(terminated(data)) == terminated(data)


def test_a_rotating_device_id_is_its_random_bytes_and_allowed() -> None:
    """Two ids are as different as their 128 random bits; fewer bits make no id."""
    made = rotating_device_id(bytes(range(16)))
    assert made == "000102030405060708090a0b0c0d0e0f"
    assert wrong(Tag.ROTATING_DEVICE_ID, made.encode()) == []
    with pytest.raises(ValueError, match="16 random bytes"):
        rotating_device_id(bytes(15))


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC), b"20261123"),
        (datetime(2026, 11, 24, 0, 30, tzinfo=timezone(timedelta(hours=1))), b"20261123"),
        (datetime(2027, 1, 1, tzinfo=UTC), b"20270101"),
    ],
)
def test_a_unit_is_made_on_the_day_in_utc_whatever_the_local_time(at: datetime, day: bytes) -> None:
    """Matter accepts the form of the date."""
    assert manufacturing_date(at).encode() == day
    assert wrong(Tag.MANUFACTURING_DATE, day) == []
