# SPDX-License-Identifier: Apache-2.0
"""Opens and closes ports beside children, on the daemon's loop: `python -m tests.programmer.port_storm SECONDS`.

It is a separate program, since a descriptor that is closed twice aborts a process, or keeps it from ending.
"""

import asyncio
import os
import sys
import tty as terminal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop

from station.adapters.board import tty
from station.adapters.system import orphans
from station.adapters.system.child import Child, Patience

PORTS, CHILDREN = 12, 4
ANSWERED_WITHIN = 120.0


@contextmanager
def pair() -> Iterator[tuple[int, str]]:
    """A pseudo-terminal: the board's end, and the path of the station's end."""
    board, station = os.openpty()
    terminal.setraw(station)
    try:
        yield board, os.ttyname(station)
    finally:
        os.close(board)
        os.close(station)


async def open_and_close(done: Counter[str], until: float) -> None:
    """Each time the board sends a number, which must arrive."""
    loop = asyncio.get_running_loop()
    with pair() as (board, path):
        while loop.time() < until:
            async with asyncio.timeout(ANSWERED_WITHIN), tty.opened(path, 115200) as port:
                said = b"%d\n" % done["ports"]
                os.write(board, said)
                heard = b""
                while heard != said:
                    heard += await port.receive()
            done["ports"] += 1


async def start_and_end(done: Counter[str], until: float) -> None:
    loop = asyncio.get_running_loop()
    while loop.time() < until:
        async with Child.started(
            ["/bin/echo", "said"], environment={}, gone=asyncio.Event(), patience=Patience()
        ) as child:
            assert [line async for line in child.lines()] == ["said"]
            assert await child.ended() == 0
        done["children"] += 1


async def storm(seconds: float) -> None:
    """Raises, hangs or aborts if another owner's descriptor was closed."""
    loop = asyncio.get_running_loop()
    complaints: list[str] = []
    loop.set_exception_handler(lambda _, context: complaints.append(str(context)))
    done, until = Counter[str](), loop.time() + seconds
    with orphans.adopted():
        async with asyncio.TaskGroup() as group:
            for _ in range(PORTS):
                group.create_task(open_and_close(done, until))
            for _ in range(CHILDREN):
                group.create_task(start_and_end(done, until))
    assert complaints == []
    print(f"{done['ports']} ports beside {done['children']} children")  # noqa: T201  for whoever runs it


if __name__ == "__main__":
    uvloop.run(storm(float(sys.argv[1])))
