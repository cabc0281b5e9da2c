# SPDX-License-Identifier: Apache-2.0
"""A page without a station behind it, as a process that tests start, stop, freeze and kill: `python -m tests.web.scripted_line`.

Prints the page's address. Each line on its standard input is a slot as JSON, or a line if it has no slot's name.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from station.adapters.ledger.reader import LedgerReader
from station.adapters.system.people_file import PeopleFile
from station.web.api import Api
from station.web.certificate import Certificate
from station.web.models import Line, Slot
from station.web.pins import PINs
from station.web.reading import Reading
from station.web.site import Site
from tests.web.fake_door import FakeDoor, mixed, slot
from tests.web.test_api import Acts


async def serve(door: FakeDoor, listen: str, abroad: Path | None = None) -> None:
    """With a folder as `tests.web.abroad` has it, the page is as other PCs see it."""
    site = Site(door, listen)
    if abroad is not None:
        pins = PINs(PeopleFile(abroad / "people.json"))
        pair = abroad / "page.pem", abroad / "page-key.pem"
        site = Site(door, listen, certificate=lambda: Certificate(*pair), reading=Reading(pins, hours=8))
        site.further.append(Api(door, lambda: site.hub, LedgerReader(abroad / "none"), pins, Acts()).add_to)
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
            if "slot" in values:
                self._door.put(Slot.model_validate(values))
            else:
                self._door.state = Line.model_validate(values)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--language", default="en")
    parser.add_argument("--idle", action="store_true", help="all slots are empty")
    parser.add_argument("--abroad", type=Path, help="a folder with certificate, key and people")
    options = parser.parse_args()
    slots = [slot(str(at + 1)) for at in range(options.slots)] if options.idle else mixed(options.slots)
    asyncio.run(serve(FakeDoor(slots, language=options.language), options.listen, options.abroad))


if __name__ == "__main__":
    main()
