# SPDX-License-Identifier: Apache-2.0
"""Waiting for a descriptor that its owner keeps: the loop watches the number for one wait at a time."""

import asyncio


async def readable(descriptor: int) -> None:
    """Returns when there is something to read. Whoever cancels it loses nothing, since nothing is read here."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
