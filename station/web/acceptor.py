# SPDX-License-Identifier: Apache-2.0
"""Takes connections, so many at once, so that nobody uses up the descriptors that the line needs."""

import asyncio
import errno
import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager

import structlog
from aiohttp import web
from aiohttp.base_protocol import BaseProtocol

from station.web.sessions import place_of

log = structlog.get_logger()

MOST = 256
MOST_OF_ONE = 64  # of one other PC: six streams and as many requests for each of some browsers
DEAF_FOR = 30.0  # seconds without a sign of life, or in which the other end takes nothing of what it is sent
HANDSHAKE_WITHIN = 10.0  # seconds
AGAIN_AFTER = 1.0  # seconds, while the process has no descriptor left
_FULL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


@contextmanager
def bound(address: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens; raises `OSError`."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with closing(socket.create_server((address, port), family=family, backlog=128)) as listening:
        listening.setblocking(False)
        yield listening


def _notice_the_dead(connection: socket.socket) -> None:
    """Lets the kernel end the connection of a PC that has gone without a word, and of a program that reads no more."""
    seconds = max(1, round(DEAF_FOR / 3))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, seconds)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * DEAF_FOR))


class Acceptor:
    """Hands each connection to the server, after its handshake. One too many is closed without a word.

    Where `only_here`, this PC alone reaches the address, and its programs share all connections.
    """

    def __init__(self, server: web.Server, tls: ssl.SSLContext | None, *, only_here: bool = False) -> None:
        self._server = server
        self._tls = tls
        self._only_here = only_here
        self._open: dict[BaseProtocol, str] = {}
        self._greeted: set[BaseProtocol] = set()
        """Those whose handshake is not over; the others are open as long as they have a transport."""

    async def run(self, listening: socket.socket) -> None:
        """Takes connections until it is cancelled."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    connection, peer = await loop.sock_accept(listening)
                except OSError as exc:
                    if exc.errno not in _FULL:
                        raise
                    await asyncio.sleep(AGAIN_AFTER)
                    continue
                _notice_the_dead(connection)
                place = place_of(peer[0])
                if self._has_room(place):
                    handler = self._server()
                    self._open[handler] = place
                    self._greeted.add(handler)
                    group.create_task(self._greet(connection, handler), name="page's handshake")
                else:
                    connection.close()

    def _has_room(self, place: str) -> bool:
        self._open = {
            handler: place
            for handler, place in self._open.items()
            if handler in self._greeted or handler.transport is not None
        }
        most_of_one = MOST if self._only_here else MOST_OF_ONE
        return len(self._open) < MOST and Counter(self._open.values())[place] < most_of_one

    async def _greet(self, connection: socket.socket, handler: BaseProtocol) -> None:
        loop = asyncio.get_running_loop()
        within = None if self._tls is None else HANDSHAKE_WITHIN
        try:
            await loop.connect_accepted_socket(lambda: handler, connection, ssl=self._tls, ssl_handshake_timeout=within)
        except OSError as exc:  # of TLS, or the other end has gone
            place = self._open[handler]
            log.debug("web.handshake_failed", address=place, reason=str(exc) or type(exc).__name__)
            connection.close()
        finally:
            self._greeted.discard(handler)
