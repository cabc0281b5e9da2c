# SPDX-License-Identifier: Apache-2.0
"""The identity that an operational firmware sends at boot: one line of text, repeated until the first question. Pure.

`operational VID=FFF1 PID=8004 DAC=0A1B… SN=…`, ended by CR LF; see docs/link-protocol.md.
"""

import re
from dataclasses import dataclass

MAX_LINE = 512

_IDENTITY = re.compile(
    rb"operational VID=(?P<vid>[0-9A-F]{4}) PID=(?P<pid>[0-9A-F]{4}) DAC=(?P<dac>[0-9A-Fa-f]{1,42}) SN=(?P<sn>[^\r\n\0]{1,64})\r?\n"
)
_FAULT = re.compile(rb"operational fault=(?P<status>\d{1,3})\r?\n")


@dataclass(frozen=True, slots=True)
class OperationalIdentity:
    """The identity that the shipped firmware presents; `dac_serial_number` as a number, whatever its notation."""

    vendor_id: int
    product_id: int
    dac_serial_number: int
    serial_number: str


@dataclass(frozen=True, slots=True)
class OperationalFault:
    """The operational firmware runs, and cannot use its factory data; the status is one of the link's."""

    status: int


def lines_in(data: bytes) -> list[tuple[int, int]]:
    """Where the lines of identity and fault are in these bytes."""
    return [found.span() for pattern in (_IDENTITY, _FAULT) for found in pattern.finditer(data)]


class IdentityReader:
    """Finds the identity line in the UART's byte stream, among other bytes and in pieces of any size."""

    def __init__(self) -> None:
        self._text = b""

    def feed(self, data: bytes) -> OperationalIdentity | OperationalFault | None:
        """The first complete identity or fault line seen, if any."""
        self._text += data
        if found := _IDENTITY.search(self._text):
            return _identity(found)
        if found := _FAULT.search(self._text):
            return OperationalFault(int(found["status"]))
        self._text = self._text[-MAX_LINE:]
        return None


def _identity(found: re.Match[bytes]) -> OperationalIdentity:
    return OperationalIdentity(
        vendor_id=int(found["vid"], 16),
        product_id=int(found["pid"], 16),
        dac_serial_number=int(found["dac"], 16),
        serial_number=found["sn"].decode("utf-8", errors="replace"),
    )
