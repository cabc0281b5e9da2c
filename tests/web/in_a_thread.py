# SPDX-License-Identifier: Apache-2.0
"""A page without a station behind it, for tests that are not asynchronous: served by a thread."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from station.web.site import Site
from tests.web.fake_door import FakeDoor


@contextmanager
def served_in_a_thread(door: FakeDoor) -> Iterator[str]:
    """The page's address."""
    ready, found = threading.Event(), list[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]]()

    async def serve() -> None:
        site, stop = Site(door, "127.0.0.1:0"), asyncio.Event()
        serving = asyncio.create_task(site.run())
        while site.url is None:
            await asyncio.sleep(0.01)
        found.append((site.url, asyncio.get_running_loop(), stop))
        ready.set()
        await stop.wait()
        serving.cancel()
        await asyncio.wait([serving])

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    url, loop, stop = found[0]
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
