# SPDX-License-Identifier: Apache-2.0
"""Whether the other end of a connection takes in time what it is sent.

A link that is too slow delivers beats as regularly as it delivers all else, only later and later: the kernel's buffers alone hold minutes of a line.
"""

import asyncio
import fcntl
import socket
import struct
import termios
import time
from collections import deque
from collections.abc import Callable

LATE_AFTER = 3.0  # seconds
_BYTES_ACKED = 120  # the place of `tcpi_bytes_acked` in the kernel's `struct tcp_info`


class Taking:
    """To be asked after each write. `clock` counts seconds, steadily."""

    def __init__(self, transport: asyncio.Transport, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport
        self._socket: socket.socket = transport.get_extra_info("socket")
        self._clock = clock
        self._sent = deque[tuple[float, int]]()
        """When so many bytes were sent, of those that the other end has not acknowledged."""

    def is_late(self) -> bool:
        """Whether something that was sent a while ago is still on its way. Raises `OSError` for a connection that has ended."""
        now = self._clock()
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED + 8)
        (taken,) = struct.unpack_from("Q", info, _BYTES_ACKED)
        (waiting,) = struct.unpack("i", fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, bytes(4)))
        self._sent.append((now, taken + waiting + self._transport.get_write_buffer_size()))
        while self._sent and self._sent[0][1] <= taken:
            self._sent.popleft()
        return bool(self._sent) and now - self._sent[0][0] > LATE_AFTER
