# SPDX-License-Identifier: Apache-2.0
"""A page without a station behind it, as a process that tests start, stop, freeze and kill: `python -m tests.web.scripted_line`.

Prints the page's address. Each line on its standard input is a slot as JSON, or a line if it has no slot's name, or the number of messages in `mes`.
"""

import argparse
import asyncio
import json
import os
import signal
import sys

from station.web.models import Line, Slot
from station.web.site import Site
from tests.web.fake_door import FakeDoor, mixed, slot


async def serve(door: FakeDoor, listen: str) -> None:
    site = Site(door, listen)
    serving = asyncio.create_task(site.run())
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, serving.cancel)
    orders = _Orders(door)
    loop.add_reader(sys.stdin, orders.read)
    while site.url is None:
        await asyncio.sleep(0.01)
    sys.stdout.write(f"{site.url}\n")
    sys.stdout.flush()
    await asyncio.wait([serving])


class _Orders:
    def __init__(self, door: FakeDoor) -> None:
        self._door = door
        self._partial = b""

    def read(self) -> None:
        read = os.read(sys.stdin.fileno(), 1 << 16)
        if not read:
            asyncio.get_running_loop().remove_reader(sys.stdin)
            return
        *lines, self._partial = (self._partial + read).split(b"\n")
        for line in lines:
            values = json.loads(line)
            if "mes" in values:
                self._door.late = values["mes"]
            elif "slot" in values:
                self._door.put(Slot.model_validate(values))
            else:
                self._door.state = Line.model_validate(values)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--language", default="en")
    parser.add_argument("--idle", action="store_true", help="all slots are empty")
    options = parser.parse_args()
    slots = [slot(str(at + 1)) for at in range(options.slots)] if options.idle else mixed(options.slots)
    asyncio.run(serve(FakeDoor(slots, language=options.language), options.listen))


if __name__ == "__main__":
    main()
