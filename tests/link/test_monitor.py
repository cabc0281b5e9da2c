# SPDX-License-Identifier: Apache-2.0
"""`finish:NNN` in the bytes of a serial port."""

import pickle

import pytest

from station.link.monitor import FinishReader

SAID = b"finish:000\0\x20\x00\x04\x20\xff"  # 16 bytes: text, NUL, old content of the buffer


def test_the_code_is_found() -> None:
    """The firmware sends the code in 16 bytes."""
    assert FinishReader().feed(SAID) == 0


@pytest.mark.parametrize("size", range(1, 17))
def test_the_code_is_found_in_pieces_of_every_size(size: int) -> None:
    reader = FinishReader()
    stream = b"[M4] ble init done\r\n" + SAID.replace(b"000", b"004")
    found = [reader.feed(stream[at : at + size]) for at in range(0, len(stream), size)]
    assert 4 in found


def test_log_lines_around_it_do_not_matter() -> None:
    """The stack's log comes over the same UART, and may cut a message short."""
    assert FinishReader().feed(b"fini\xfe\r\nfinish:\r\nfinish:0finish:003\0") == 3


def test_a_cut_number_is_not_a_code() -> None:
    """Two digits, four digits, and digits without a following byte are not a code."""
    reader = FinishReader()
    assert reader.feed(b"finish:00\0finish:0000\0finish:001") is None
    assert reader.feed(b"\0") == 1


def test_chatter_is_not_kept() -> None:
    """A board that never finishes must not fill the memory."""
    reader = FinishReader()
    for _ in range(100):
        assert reader.feed(b"x" * 4096) is None
    assert len(pickle.dumps(reader)) < 256
