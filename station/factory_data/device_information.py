# SPDX-License-Identifier: Apache-2.0
"""Matter's rules for the records that describe a device: lengths, dates, identifiers. Pure.

Matter Core Specification 11.1.5 and 5.4.2.4.5. ST's container allows more, so this is a separate check.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime

from station.factory_data.flat_tlv import FactoryData, Mistake, Tag, refuse
from station.matter.certificates.chain import PRODUCT_IDS, VENDOR_IDS

_LONGEST = {
    Tag.VENDOR_NAME: 32,
    Tag.PRODUCT_NAME: 32,
    Tag.SERIAL_NUMBER: 32,
    Tag.HARDWARE_VERSION_STRING: 64,
}
_READ_WITHOUT_NUL = (Tag.VENDOR_NAME, Tag.PRODUCT_NAME, Tag.SERIAL_NUMBER)
_ASSIGNABLE = {Tag.VENDOR_ID: VENDOR_IDS, Tag.PRODUCT_ID: PRODUCT_IDS}


ROTATING_DEVICE_ID_SIZE = 16  # random bytes; Matter asks for at least as many


def rotating_device_id(random: bytes) -> str:
    """Makes a rotating device id from random bytes, as hexadecimal digits, the form that ST's tool accepts.

    `ValueError` unless there are `ROTATING_DEVICE_ID_SIZE` bytes.
    """
    if len(random) != ROTATING_DEVICE_ID_SIZE:
        raise ValueError(f"{ROTATING_DEVICE_ID_SIZE} random bytes make a rotating device id, not {len(random)}")
    return random.hex()


def manufacturing_date(at: datetime) -> str:
    """The manufacturing date of a unit that is made at this time: YYYYMMDD, UTC."""
    return f"{at.astimezone(UTC):%Y%m%d}"


def terminated(data: FactoryData) -> FactoryData:
    """The same data with a NUL behind vendor name, product name and serial number.

    ST's tool writes none. Older firmware clears its buffer first; firmware on newer SDKs reads on into the buffer's
    previous content.
    """
    records = dict(data.records)
    for tag in _READ_WITHOUT_NUL:
        if tag in records and not records[tag].endswith(b"\0"):
            records[tag] += b"\0"
    return FactoryData(records)


def is_terminated(data: FactoryData) -> bool:
    """Whether vendor name, product name and serial number end in NUL."""
    return all(data.records.get(tag, b"\0").endswith(b"\0") for tag in _READ_WITHOUT_NUL)


def check_device_information(data: FactoryData) -> None:
    """Refuses with `FactoryDataInvalid` records that a commissioner would refuse, and names every mistake at once."""
    refuse(mistakes_in(data))


def mistakes_in(data: FactoryData) -> list[Mistake]:
    """The mistakes in the records that are there, by Matter's rules."""
    return [Mistake(tag.name, reason) for tag, reason in _problems(data)]


def _problems(data: FactoryData) -> Iterator[tuple[Tag, str]]:
    for tag, longest in _LONGEST.items():
        if reason := _text_problem(_text(data, tag), longest):
            yield tag, reason
    for tag, allowed in _ASSIGNABLE.items():
        number = data.number(tag)
        if number is not None and number not in allowed:
            yield tag, f"0x{number:04X} cannot be assigned"
    if reason := _date_problem(_text(data, Tag.MANUFACTURING_DATE)):
        yield Tag.MANUFACTURING_DATE, reason
    rotating_id = _text(data, Tag.ROTATING_DEVICE_ID)
    if rotating_id is not None and not re.fullmatch("([0-9a-fA-F]{2}){16,32}", rotating_id):
        yield Tag.ROTATING_DEVICE_ID, "32 to 64 hexadecimal digits are expected"


def _text(data: FactoryData, tag: Tag) -> str | None:
    text = data.text(tag)
    return text.removesuffix("\0") if text is not None and tag in _READ_WITHOUT_NUL else text


def _text_problem(text: str | None, longest: int) -> str | None:
    if text is None:
        return None
    if not 1 <= len(text.encode()) <= longest:
        return f"{len(text.encode())} bytes; 1 to {longest} are expected"
    return None if text.isprintable() else "a character that cannot be printed"


def _date_problem(text: str | None) -> str | None:
    if text is None:
        return None
    if not 8 <= len(text) <= 16 or not text.isprintable():
        return "8 to 16 characters are expected: YYYYMMDD, then any text of the vendor's"
    if not re.match("[0-9]{8}", text):
        return "it does not begin with YYYYMMDD"
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return f"there is no day {text[:8]}"
    return None
