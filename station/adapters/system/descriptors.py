# SPDX-License-Identifier: Apache-2.0
"""Waiting for a descriptor that its owner keeps.

The loop watches the number for one wait at a time: after an error of the descriptor, such as an overflow of udev's events,
uvloop would never watch it again.
"""

import asyncio


async def readable(descriptor: int) -> None:
    """Returns when there is something to read. Whoever cancels it loses nothing, since nothing is read here."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
