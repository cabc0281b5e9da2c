# SPDX-License-Identifier: Apache-2.0
"""Open pages as the daemon sees them: connections that read the stream of events, and do nothing with it."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

PAGES = 5
LOOKED_EVERY = 0.1


@contextmanager
def listening(url: str, pages: int = PAGES) -> Iterator[None]:
    """So many pages for the block."""
    address = urlsplit(url)
    over = threading.Event()
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for _ in range(pages):
            stream = stack.enter_context(socket.create_connection((address.hostname or "", address.port or 80)))
            stream.sendall(f"GET /api/v1/stream HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
            selector.register(stream, selectors.EVENT_READ)
        thread = threading.Thread(target=_read, args=(selector, over), name="pages")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _read(selector: selectors.BaseSelector, over: threading.Event) -> None:
    while not over.is_set():
        for key, _ in selector.select(LOOKED_EVERY):
            assert isinstance(key.fileobj, socket.socket)
            if not key.fileobj.recv(1 << 16):  # the daemon has ended
                selector.unregister(key.fileobj)
        if not selector.get_map():
            return
