# SPDX-License-Identifier: Apache-2.0
"""A board's USB serial port as a pseudo terminal: the bench holds the board's end."""

import asyncio
import fcntl
import os
import struct
import termios
import tty
from collections.abc import Callable
from contextlib import suppress


class SerialPort:
    """Both ends of one pseudo terminal; closing it hangs up the station's end."""

    def __init__(self, received: Callable[[bytes], None]) -> None:
        self._received = received
        self._held = False
        self._closed = False
        self._board, self._station = os.openpty()
        tty.setraw(self._station)
        os.set_blocking(self._board, False)
        self.path = os.ttyname(self._station)
        asyncio.get_running_loop().add_reader(self._board, self._read)

    def write(self, data: bytes) -> None:
        """Sends bytes to the station; drops them if the station does not read."""
        self.allow_reopening()
        with suppress(BlockingIOError):
            os.write(self._board, data)

    def unread(self) -> int:
        """How many bytes the station has not taken yet."""
        (count,) = struct.unpack("i", fcntl.ioctl(self._station, termios.FIONREAD, bytes(4)))
        return int(count)

    def hold(self) -> None:
        """Locks the port as another program does, with flock and TIOCEXCL."""
        self._held = True
        fcntl.flock(self._station, fcntl.LOCK_EX)
        fcntl.ioctl(self._station, termios.TIOCEXCL)

    def let_go(self) -> None:
        """Releases the other program's locks."""
        if self._held and not self._closed:
            self._held = False
            fcntl.flock(self._station, fcntl.LOCK_UN)
            self.allow_reopening()

    def close(self) -> None:
        self._closed = True
        asyncio.get_running_loop().remove_reader(self._board)
        os.close(self._station)
        os.close(self._board)

    def allow_reopening(self) -> None:
        """Clears TIOCEXCL, as a real port does at its last close; this port has none, since the bench keeps it open."""
        if not self._held:
            fcntl.ioctl(self._station, termios.TIOCNXCL)

    def _read(self) -> None:
        self.allow_reopening()
        self._received(os.read(self._board, 65536))
