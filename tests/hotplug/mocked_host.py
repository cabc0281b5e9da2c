# SPDX-License-Identifier: Apache-2.0
"""A process with a pretended USB host and a hotplug source: takes commands on stdin, writes what the source tells to stdout.

A line is a list of commands, which are all done before the source looks; `["turn"]` lets it look in between.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import uvloop

from station.adapters.hotplug import poll, udev
from station.adapters.hotplug.descriptors import readable
from station.interfaces import BoardArrived, Hotplug
from tests.hotplug.umockdev import USBHost

SOURCES: dict[str, Callable[[], AbstractAsyncContextManager[Hotplug]]] = {"udev": udev.watching, "poll": poll.watching}


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
    for name, *arguments in commands:
        if name == "turn":
            await asyncio.sleep(0.001)
        elif name == "leads_to":
            host.leads_to(int(arguments[0]), Path(str(arguments[1])))
        else:
            getattr(host, str(name))(*arguments)
    say({"done": len(commands)})


async def asked() -> str:
    """The next line, empty at the end; no other is sent before it is answered."""
    await readable(sys.stdin.fileno())
    return sys.stdin.readline()


async def main(source: str) -> None:
    """The first line is what is there before the source starts; the end of stdin ends all."""
    host = USBHost()
    await obey(host, json.loads(await asked()))
    async with SOURCES[source]() as hotplug, asyncio.TaskGroup() as group:
        telling = group.create_task(tell(hotplug))
        while line := await asked():
            await obey(host, json.loads(line))
        telling.cancel()
    host.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
