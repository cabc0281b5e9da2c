# SPDX-License-Identifier: Apache-2.0
"""The serial port over pyserial-asyncio, with workarounds for its weaknesses."""

import asyncio
from pathlib import Path

import pytest

from station.adapters.board import tty
from station.faults.slot import TTYLost, TTYUnavailable
from tests.builders.wire import wired


async def test_bytes_go_both_ways() -> None:
    """Each end receives the bytes that the other end sends."""
    with wired() as wire:
        async with tty.opened(wire.path, 115200) as port, asyncio.timeout(200):
            wire.say(b"boot\r\n")
            assert await port.receive() == b"boot\r\n"


async def test_the_tail_is_delivered_before_the_loss() -> None:
    """Bytes that arrived just before the board was unplugged are still delivered."""
    with wired() as wire:
        async with tty.opened(wire.path, 115200) as port, asyncio.timeout(200):
            wire.say(b"last words")
            while not port.waiting:  # a pty drops unread bytes when it hangs up
                await asyncio.sleep(0)
            wire.hang_up()
            received = b""
            with pytest.raises(TTYLost):
                while True:
                    received += await port.receive()
            assert received == b"last words"


async def test_a_lost_port_takes_nothing_more() -> None:
    """Sending to a lost port raises a fault."""
    with wired() as wire:
        async with tty.opened(wire.path, 115200) as port, asyncio.timeout(200):
            wire.hang_up()
            with pytest.raises(TTYLost):
                await port.receive()
            with pytest.raises(TTYLost):
                port.send(b"hello")


async def test_a_port_that_is_not_there_is_named() -> None:
    """The fault has the operating system's reason."""
    with pytest.raises(TTYUnavailable, match="/dev/does-not-exist"):
        async with tty.opened("/dev/does-not-exist", 115200):
            pass


async def test_a_port_is_ours_alone() -> None:
    """A second opener that respects the lock is refused while the first holds it, and served afterwards."""
    with wired() as wire:
        async with tty.opened(wire.path, 115200):
            with pytest.raises(TTYUnavailable):
                async with tty.opened(wire.path, 115200):
                    pass
        async with tty.opened(wire.path, 115200):
            pass


async def test_a_chattering_board_does_not_fill_memory() -> None:
    """While nobody receives, the port keeps only the latest 64 KiB."""
    with wired() as wire:
        async with tty.opened(wire.path, 115200) as port, asyncio.timeout(200):
            await wire.pour(b"x" * 300_000 + b"end")  # far more than the kernel buffers
            assert port.waiting == tty.BUFFERED
            received = b""
            while not received.endswith(b"end"):
                received += await port.receive()
            assert len(received) < 300_000


async def test_no_descriptor_is_left_behind() -> None:
    """A port that is opened and lost twenty times leaves no descriptor open."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        with wired() as wire:
            async with tty.opened(wire.path, 115200) as port, asyncio.timeout(200):
                wire.hang_up()
                with pytest.raises(TTYLost):
                    await port.receive()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1
