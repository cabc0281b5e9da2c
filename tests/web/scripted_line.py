# SPDX-License-Identifier: Apache-2.0
"""A page without a station behind it, as a process that tests start, stop, freeze and kill: `python -m tests.web.scripted_line`.

Prints the page's address. Each line on its standard input is a slot as JSON, or a line if it has no slot's name, or the number of messages in `mes`.
With a folder it has people, a ledger with some attempts, the API and the engineer's pages.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from station.adapters.ledger import Ledger
from station.adapters.ledger.reader import LedgerReader
from station.adapters.system.people_file import PeopleFile
from station.daemon.andon import Andon
from station.domain.attempt import Voided
from station.domain.labelling import LabelStage
from station.domain.people import Role
from station.line.status import HoldStatus
from station.web import routes
from station.web.acts import ActRefused, LabelWrong, LotChange
from station.web.api import Api
from station.web.central import Central
from station.web.certificate import Certificate
from station.web.counted import Counted
from station.web.models import Line, Lot, Slot, Stock
from station.web.pages import Pages
from station.web.pins import PINs
from station.web.questions import NewLot, NewSample
from station.web.reading import Reading
from station.web.site import Site
from tests.builders.bench import Secrets, begun, passed
from tests.web.fake_door import OPEN, FakeDoor, mixed, slot
from tests.web.shared_view import view

OPERATOR, ENGINEER = "280461", "739154"
"""The PINs of Ben and Anna."""


class Acts:
    """`web.acts.Acts`: what people do shows on the line."""

    def __init__(self, door: FakeDoor) -> None:
        self._door = door

    async def hold(self, name: str, *, who: str, reason: str) -> Mapping[str, object]:
        held = HoldStatus(who=who, at=datetime(2026, 11, 26, 8, 30, tzinfo=UTC), reason=reason)
        self._door.put(slot(name, "out of service", "slot.held", service="out").model_copy(update={"held": held}))
        return {"held": name, "recorded": True}

    async def release(self, name: str | None, *, who: str, reason: str) -> Mapping[str, object]:
        if name is None:
            self._door.state = OPEN
        else:
            self._door.put(slot(name, "waiting", service="trial", uid=None))
        return {"released": [name], "who": who, "reason": reason}

    async def label(self, uid: str, form: str, *, who: str) -> bytes:
        return f"a {form} of {uid} for {who}".encode()

    async def print_label(self, uid: str, reason: str, *, who: str, engineer: bool) -> Mapping[str, object]:
        return {"uid": uid, "copy": 1 + engineer, "unproven": None, "who": who, "reason": reason}

    async def scan(self, text: str, slot: str | None, *, who: str) -> Mapping[str, object]:
        """A label's text is `MT:` and its serial number."""
        there = {name: self._door.slot(name) for name in self._door.marks()}
        serial = text.removeprefix("MT:")
        own = next((name for name, each in there.items() if each.serial == serial), None)
        if slot is not None and slot != own and (board := there[slot].serial) is not None:
            raise LabelWrong("wrong label", slot, board, serial if own else None)
        if own is None or slot not in (None, own):
            raise ActRefused("no unit that this station has made, and remembers, has this label")
        if slot is not None:
            self._door.put(there[own].model_copy(update={"label": LabelStage.BOUND.value}))
        bound = self._door.slot(own).label == LabelStage.BOUND.value
        return {"uid": there[own].uid, "serial_number": serial, "slot": own, "bound": bound, "who": who}

    async def release_unit(self, uid: str, *, who: str, reason: str) -> Mapping[str, object]:
        return {"released": uid, "who": who, "reason": reason}

    async def scrap_unit(self, uid: str, *, who: str, reason: str) -> Mapping[str, object]:
        return {"scrapped": uid, "certificate": None, "who": who, "reason": reason}

    async def add_sample(self, sample: NewSample, *, who: str) -> Mapping[str, object]:
        return {"sample": sample.uid, "who": who}

    async def open_lot(self, lot: NewLot, *, who: str) -> Mapping[str, object]:
        return {"lot": lot.name, "state": "open", "who": who}

    async def change_lot(self, lot: str, change: LotChange, *, who: str, reason: str) -> Mapping[str, object]:
        return {"lot": lot, "state": change, "who": who, "reason": reason}


async def furnish(site: Site, door: FakeDoor, folder: Path, path: Path, ledger: Ledger) -> None:
    """Gives the site its people, its ledger and its further pages."""
    people = PeopleFile(folder / "people.json")
    if not people.people():
        people.add("Anna", Role.ENGINEER, ENGINEER)
        people.add("Ben", Role.OPERATOR, OPERATOR)
        secrets = Secrets()
        for board in (1, 2):
            await passed(await begun(ledger, secrets, slot=str(board)), board, f"0{board}")
        for _ in range(3):
            await (await begun(ledger, secrets, slot="4")).finish(Voided("tty.lost", {}))
    recipe = folder / "recipe.toml"
    recipe.write_text("[within]\nconfirm = 30\n")
    reader, counted, central = LedgerReader(path), Counted(path, recipe), Central(view)
    site.further += [
        routes.of(Api(door, lambda: site.hub, reader, PINs(people), Acts(door), counted, central)),
        Pages(door, reader, counted, central).add_to,
    ]


def seen_abroad(door: FakeDoor, listen: str, folder: Path) -> Site:
    """The page as other PCs see it; the folder is as `tests.web.abroad` has it."""
    pins = PINs(PeopleFile(folder / "people.json"))
    pair = folder / "page.pem", folder / "page-key.pem"
    site = Site(door, listen, certificate=lambda: Certificate(*pair), reading=Reading(pins, hours=8))
    none = folder / "none"
    counted = Counted(none, folder / "recipe.toml")
    site.further.append(routes.of(Api(door, lambda: site.hub, LedgerReader(none), pins, Acts(door), counted)))
    return site


async def serve(door: FakeDoor, listen: str, folder: Path | None, abroad: Path | None, andon: list[str]) -> None:
    async with AsyncExitStack() as stack:
        site = Site(door, listen) if abroad is None else seen_abroad(door, listen, abroad)
        if folder is not None:
            path = folder / "state" / "ledger.sqlite"
            path.parent.mkdir(exist_ok=True)
            ledger = await stack.enter_async_context(Ledger.open(path, station="line-1"))
            await furnish(site, door, folder, path, ledger)
        await until_ended(site, door, andon)


async def until_ended(site: Site, door: FakeDoor, andon: list[str]) -> None:
    tasks = [asyncio.create_task(site.run())]
    if andon:
        tasks.append(asyncio.create_task(Andon(door, andon).run()))
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: [task.cancel() for task in tasks])
    orders = _Orders(door)
    loop.add_reader(sys.stdin, orders.read)
    while site.url is None:
        await asyncio.sleep(0.01)
    sys.stdout.write(f"{site.url}\n")
    sys.stdout.flush()
    await asyncio.wait(tasks)


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
            elif "left" in values:
                self._door.stock = Stock.model_validate(values)
            elif "slot" in values:
                self._door.put(Slot.model_validate(values))
            else:
                self._door.state = Line.model_validate(values)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--language", default="en")
    parser.add_argument("--folder", type=Path, help="has people and a ledger, made where there are none")
    parser.add_argument("--idle", action="store_true", help="all slots are empty")
    parser.add_argument("--abroad", type=Path, help="a folder with certificate, key and people")
    parser.add_argument("--andon", nargs="*", default=[], help="a program that gets the states, with its arguments")
    options = parser.parse_args()
    slots = [slot(str(at + 1)) for at in range(options.slots)] if options.idle else mixed(options.slots)
    door = FakeDoor(slots, language=options.language)
    door.counts = Lot(name="LIGHTING-2026", work_order="WO 4711-03", planned=1200, passed=1009, failed=23)
    asyncio.run(serve(door, options.listen, options.folder, options.abroad, options.andon))


if __name__ == "__main__":
    main()
