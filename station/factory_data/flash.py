# SPDX-License-Identifier: Apache-2.0
"""A board's factory data: decoded once, locked, not read, empty or damaged, each a type of its own. Pure."""

from dataclasses import dataclass

from station.factory_data import flat_tlv
from station.factory_data.flat_tlv import FactoryData
from station.faults.unit import ReadbackInvalid

ERASED = 0xFF


@dataclass(frozen=True, slots=True)
class NotRead:
    """The station has not read the factory data, since no earlier attempt can have certified the board."""


@dataclass(frozen=True, slots=True)
class Locked:
    """Read-out protection prevents reading the factory data."""


@dataclass(frozen=True, slots=True)
class Empty:
    """The station has read erased flash; `reason` says what is missing."""

    reason: str


@dataclass(frozen=True, slots=True)
class Damaged:
    """The station has read bytes that cannot be decoded, for `reason`."""

    reason: str


ReadBack = FactoryData | Empty | Damaged
Flash = ReadBack | NotRead | Locked


def read_back(data: bytes) -> ReadBack:
    """Decodes the bytes that were read from a board."""
    try:
        return flat_tlv.decode_readback(data)
    except ReadbackInvalid as exc:
        return Empty(exc.reason) if all(byte == ERASED for byte in data) else Damaged(exc.reason)


def found_in(flash: Flash) -> FactoryData:
    """The factory data of a board that was read; raises `ReadbackInvalid` if it has none, `ValueError` if it was not read."""
    match flash:
        case FactoryData():
            return flash
        case Empty(reason) | Damaged(reason):
            raise ReadbackInvalid(reason)
        case NotRead() | Locked():
            raise ValueError(f"factory data that is {type(flash).__name__} cannot be judged")
