# SPDX-License-Identifier: Apache-2.0
"""Rows of the centre as JSON has them, and as cells of tables."""

from dataclasses import Field, fields
from datetime import UTC, datetime
from enum import Enum
from typing import ClassVar, Protocol

from station.domain.target import UID


class Row(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[object]]]


def values(row: Row) -> dict[str, object]:
    """A row as JSON and tables have it: names of enumerations in lower case, moments as ISO 8601 in UTC, bytes as hexadecimal."""
    return {field.name: _value(getattr(row, field.name)) for field in fields(row)}


def _value(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, UID):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple | list):
        return [_value(each) for each in value]
    return value


def cell(value: object) -> str:
    """The value in a table; empty for None."""
    return "" if value is None else str(value)
