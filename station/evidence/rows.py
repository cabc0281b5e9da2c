# SPDX-License-Identifier: Apache-2.0
"""Values out of a bundle's rows, which may be anything: each is of its kind, or the row is refused. Pure."""

import sys
from collections.abc import Mapping

from station.evidence.form import NotABundle

Row = Mapping[str, object]


def text(row: Row, key: str) -> str:
    """Raises `NotABundle` for anything but text."""
    value = row.get(key)
    if not isinstance(value, str):
        raise _wrong(key, "text", value)
    return value


def name(row: Row, key: str) -> str:
    """The text of a UID, key or number that several members repeat: held in memory once."""
    return sys.intern(text(row, key))


def text_or_none(row: Row, key: str) -> str | None:
    return None if row.get(key) is None else text(row, key)


def number(row: Row, key: str) -> int:
    """Raises `NotABundle` for anything but a whole number."""
    value = row.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(key, "a whole number", value)
    return value


def flag(row: Row, key: str) -> bool:
    """Raises `NotABundle` for anything but true and false; SQLite's 0 and 1 are these."""
    value = row.get(key)
    if value not in (0, 1):
        raise _wrong(key, "true or false", value)
    return bool(value)


def octets(row: Row, key: str, size: int) -> bytes:
    """Bytes from hexadecimal digits, so many of them; raises `NotABundle`."""
    try:
        value = bytes.fromhex(text(row, key))
    except ValueError:
        raise _wrong(key, "hexadecimal", row.get(key)) from None
    if len(value) != size:
        raise _wrong(key, f"{size} bytes in hexadecimal", row.get(key))
    return value


def mapping(row: Row, key: str) -> Row:
    """Raises `NotABundle` for anything but a JSON object."""
    value = row.get(key)
    if not isinstance(value, dict):
        raise _wrong(key, "a JSON object", value)
    return value


def values(row: Row, key: str) -> list[object]:
    """Raises `NotABundle` for anything but a list."""
    value = row.get(key)
    if not isinstance(value, list):
        raise _wrong(key, "a list", value)
    return value


def objects(row: Row, key: str) -> list[Row]:
    """Raises `NotABundle` for anything but a list of JSON objects."""
    value = row.get(key)
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise _wrong(key, "a list of JSON objects", value)
    return value


def _wrong(key: str, wanted: str, value: object) -> NotABundle:
    return NotABundle(f"{key} must be {wanted}, and is {ascii(value)[:60]}")
