# SPDX-License-Identifier: Apache-2.0
"""Valid QR codes that a known commissioner cannot read: the CHIP SDK and matter.js, in the versions that were tried. Pure."""

from collections.abc import Iterator, Mapping

from station.matter.matter_tlv import Member, Signed
from station.matter.onboarding import codes

CHIP = "the CHIP SDK (2025.7.0)"
MATTER_JS = "matter.js (0.17.9)"
_GROUP = 5  # characters of Base38 for three bytes


def unable(text: str) -> tuple[str, ...]:
    """Who cannot read a QR code that `parse_qr_code` accepts, and why: a sentence for each reason."""
    parts = text.removeprefix(codes.PREFIX).split("*")
    return tuple(
        f"payload {number}: {reason}" if len(parts) > 1 else reason
        for number, part in enumerate(parts, 1)
        for reason in _reasons(part)
    )


def _reasons(part: str) -> Iterator[str]:
    if len(part) % _GROUP == 0:
        yield (
            f"{MATTER_JS} cannot read this code: without {codes.PREFIX} it has {len(part)} characters, a multiple of "
            f"{_GROUP}; a serial number or text of the vendor that is one byte longer or shorter helps"
        )
    if (members := codes.members_in(part)) is not None:
        yield from (f"{CHIP} cannot read this code: {reason}" for reason in _against_chip(members))


def _against_chip(members: Mapping[int, Member]) -> Iterator[str]:
    if not members:
        yield "it has an empty structure behind the payload"
    for tag, value in members.items():
        if not isinstance(value, int):
            continue
        if tag in codes.VENDOR_TAGS:
            if not isinstance(value, Signed):
                yield f"the vendor's member 0x{tag:02X} is a number of an unsigned type"
            elif value.bit_length() > 31 and value != -(1 << 31):
                yield f"the vendor's member 0x{tag:02X} is a number of more than 32 bits"
        elif tag != codes.SERIAL_NUMBER:
            yield f"it has member {tag}, a number"
        elif value >= 1 << 32:
            yield "its serial number is a number of more than 32 bits; as text it can be read"
