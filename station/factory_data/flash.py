# SPDX-License-Identifier: Apache-2.0
"""A board's factory data as the station knows it: decoded once, where it was read. Pure."""

from dataclasses import dataclass

from station.factory_data import flat_tlv
from station.factory_data.flat_tlv import FactoryData
from station.faults.unit import ReadbackInvalid

ERASED = 0xFF


@dataclass(frozen=True, slots=True)
class NotRead:
    """The station has not read it, since no earlier attempt can have left anything there."""


@dataclass(frozen=True, slots=True)
class Locked:
    """The board's read-out protection lets nobody read it."""


@dataclass(frozen=True, slots=True)
class Empty:
    """The station has read erased flash, for this reason no factory data."""

    reason: str


@dataclass(frozen=True, slots=True)
class Damaged:
    """The station has read bytes that are no factory data, for this reason."""

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
    """The factory data, which a board that was read must have: raises `ReadbackInvalid`. `ValueError` if it was not read."""
    match flash:
        case FactoryData():
            return flash
        case Empty(reason) | Damaged(reason):
            raise ReadbackInvalid(reason)
        case NotRead() | Locked():
            raise ValueError(f"nobody can judge factory data that is {type(flash).__name__}")
