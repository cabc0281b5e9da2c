# SPDX-License-Identifier: Apache-2.0
"""Keeps a display up to date until something has happened, and the terminal as it was before, however that ends."""

import asyncio
import os
import signal
from collections.abc import Callable

from station.cli.watch.display import Display
from station.web.follower import Follower

LOOK_EVERY = 0.2
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, a supervisor, a closed terminal


def follow(display: Display, follower: Follower, until: Callable[[], bool]) -> None:
    """Shows the stream until this is so; raises KeyboardInterrupt after one of the signals, and ignores those that follow it."""
    came: list[int] = []
    before = {each: signal.signal(each, lambda number, _: came.append(number)) for each in ENDINGS}
    try:
        with display:
            asyncio.run(_follow(display, follower, lambda: bool(came) or until()))
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    if came:
        ignore_endings()
        raise KeyboardInterrupt


async def _follow(display: Display, follower: Follower, until: Callable[[], bool]) -> None:
    """A signal that raised an error by itself would strike any task, and leave its complaint on the screen."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTSTP, _stop, display)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(follower.run(), name="stream")
        while not until():
            display.look()
            await asyncio.sleep(LOOK_EVERY)
        following.cancel()
    display.look()


def _stop(display: Display) -> None:
    """Stops for Ctrl-Z, without a picture: a stopped process could not take its colours back."""
    display.hide()
    os.kill(os.getpid(), signal.SIGSTOP)
    display.show()


def end_in_order() -> None:
    """Makes the first of these signals raise KeyboardInterrupt, even if the shell has set it to be ignored. Ignores the rest.

    A program that is killed, or interrupted while it ends, would leave its terminal or its processes behind.
    """

    def interrupt(*_: object) -> None:
        ignore_endings()
        raise KeyboardInterrupt

    for each in ENDINGS:
        signal.signal(each, interrupt)


def ignore_endings() -> None:
    for each in ENDINGS:
        signal.signal(each, signal.SIG_IGN)
