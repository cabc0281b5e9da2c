# SPDX-License-Identifier: Apache-2.0
"""A process with a pretended USB host and a hotplug source: takes commands on stdin, writes what the source tells to stdout.

A line is a list of commands, which are all done before the source looks; `["turn"]` lets it look in between.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from pathlib import Path

import uvloop

from station.adapters.board import tty
from station.adapters.hotplug import poll, udev
from station.adapters.system.descriptors import readable
from station.faults.slot import TTYUnavailable
from station.interfaces import BoardArrived, BoardLeft, Hotplug
from tests.hotplug.umockdev import USBHost


class Silence:
    """Tells nothing: for a host whose boards another process is told of."""

    async def next(self) -> BoardArrived | BoardLeft:
        never: asyncio.Future[BoardLeft] = asyncio.get_running_loop().create_future()
        return await never


SOURCES: dict[str, Callable[[], AbstractAsyncContextManager[Hotplug]]] = {
    "udev": udev.watching,
    "poll": poll.watching,
    "none": lambda: nullcontext(Silence()),
}


def say(what: object) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201  this is how it talks


async def tell(hotplug: Hotplug) -> None:
    while True:
        event = await hotplug.next()
        if isinstance(event, BoardArrived):
            refused = event.refused.code if event.refused else None
            say({"arrived": event.path, "probe": event.probe, "tty": event.tty, "refused": refused})
        else:
            say({"left": event.path})


async def obey(host: USBHost, commands: list[list[str | int]]) -> None:
    began = time.monotonic()
    for name, *arguments in commands:
        if name == "turn":
            await asyncio.sleep(0.001)
        elif name == "until":
            await asyncio.sleep(began + float(arguments[0]) - time.monotonic())
        elif name == "now":
            say({"now": str(time.time())})
        elif name == "leads_to":
            host.leads_to(int(arguments[0]), Path(str(arguments[1])))
        elif name == "open_as_nobody":
            say({"refusal": await refusal(f"/dev/ttyACM{arguments[0]}")})
        else:
            getattr(host, str(name))(*arguments)
    say({"done": str(host.root)})


async def refusal(path: str) -> str | None:
    """Why an account without rights cannot open the port."""
    everybody, nobody = os.geteuid(), 65534
    if everybody == 0:
        os.seteuid(nobody)
    try:
        async with tty.opened(path, 115200):
            return None
    except TTYUnavailable as fault:
        return fault.reason
    finally:
        os.seteuid(everybody)


def opened() -> Counter[str]:
    """What this process's descriptors lead to; umockdev's threads come by an eventfd whenever the machine lets them."""
    found = Counter[str]()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists the folder
            found[str(descriptor.readlink())] += 1
    del found["anon_inode:[eventfd]"]
    return found


async def asked() -> str:
    """The next line, empty at the end; no other is sent before it is answered."""
    await readable(sys.stdin.fileno())
    return sys.stdin.readline()


async def main(source: str) -> None:
    """The first line is what is there before the source starts; the end of stdin ends all."""
    host = USBHost()
    await obey(host, json.loads(await asked()))
    before = opened()
    async with SOURCES[source]() as hotplug, asyncio.TaskGroup() as group:
        telling = group.create_task(tell(hotplug))
        while line := await asked():
            await obey(host, json.loads(line))
        telling.cancel()
    say({"left_open": str(sorted((opened() - before).elements()))})
    host.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
