# SPDX-License-Identifier: Apache-2.0
"""The operational firmware's identity line, found among other bytes on the wire."""

from station.link.operational import MAX_LINE, IdentityReader, OperationalFault, OperationalIdentity

LINE = b"operational VID=FFF1 PID=8004 DAC=0A1B2C SN=LT26 0000 01\r\n"
IDENTITY = OperationalIdentity(0xFFF1, 0x8004, 0x0A1B2C, "LT26 0000 01")


def test_the_line_is_found_whole() -> None:
    """The serial number in the line contains blanks."""
    assert IdentityReader().feed(LINE) == IDENTITY


def test_the_line_may_arrive_one_byte_at_a_time_after_noise() -> None:
    """Log lines and frames may come before the line."""
    reader = IdentityReader()
    found = [said for byte in b"\0\x81boot\0[M4] start\r\n" + LINE if (said := reader.feed(bytes([byte]))) is not None]
    assert found[0] == IDENTITY


def test_an_unfinished_line_says_nothing() -> None:
    """A truncated serial number must not pass for another unit's."""
    assert IdentityReader().feed(LINE[:-2]) is None


def test_a_firmware_without_factory_data_says_so() -> None:
    """The firmware's fault line is an answer, not silence."""
    assert IdentityReader().feed(b"operational fault=1\r\n") == OperationalFault(1)


def test_chatter_does_not_fill_memory() -> None:
    """The reader still finds the line after the chatter."""
    reader = IdentityReader()
    for _ in range(1000):
        assert reader.feed(b"x" * MAX_LINE) is None
    assert reader.feed(LINE) == IDENTITY
