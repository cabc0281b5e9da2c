# SPDX-License-Identifier: Apache-2.0
"""Hotplug from a directory laid out like /dev/serial, watched with inotify. The one home of asyncinotify.

The directory may not exist yet, and vanishes with its last link. Every event starts a scan, and the scan decides which
boards are there. Only the events show that a board left and came back between two scans.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from asyncinotify import Event, Inotify, Mask

from station.adapters.hotplug import sightings
from station.adapters.hotplug.arrivals import boards, changes
from station.adapters.hotplug.sightings import Memory, Sighting
from station.adapters.system.descriptors import readable
from station.faults.resources import exhausted, named
from station.interfaces import BoardArrived, BoardLeft

SETTLED_AFTER = 0.5  # seconds without an event of a port that has no name yet; udev makes a device's links within milliseconds of one another
GATHERED_FOR = (
    0.005  # seconds: a look costs with every board that is there, and the links of one board come one after the other
)
LOOKS = 20  # in a row, until nothing happens during one; whoever changes links faster is no udev

_CHANGES = Mask.CREATE | Mask.DELETE | Mask.MOVE | Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.ONLYDIR


def boards_in(directory: Path) -> dict[str, BoardArrived]:
    """The boards that are there, by their USB ports. Boards that cannot be told apart are all refused."""
    return boards(sightings.judged(sightings.found(directory)))


class LinksHotplug:
    """Boards that come and go below one directory."""

    def __init__(self, directory: Path, inotify: Inotify) -> None:
        self._directory = directory
        self._inotify = inotify
        self._told: dict[str, Sighting] = {}
        self._undecided: dict[str, Sighting] = {}
        self._settled_at: float | None = None
        self._is_due = True  # a scan that waits for no event
        self._events: deque[BoardArrived | BoardLeft] = deque()
        self._memory = Memory()
        self._folders = frozenset({"", "by-id", "by-path", *directory.parts})

    async def next(self) -> BoardArrived | BoardLeft:
        """The next board to arrive or leave; those that are there at the start arrive first."""
        while not self._events:
            settled = False
            if not self._is_due:
                try:
                    async with asyncio.timeout_at(self._settled_at):
                        # asyncinotify's own `get` may lose an event when it is cancelled
                        await readable(self._inotify.fd)
                except TimeoutError:
                    settled = True
                else:
                    await asyncio.sleep(GATHERED_FOR)
            self._is_due = True  # until a scan succeeds, since it takes the events first
            self._scan(settled=settled)
            self._is_due = False
        return self._events.popleft()

    def _scan(self, *, settled: bool) -> None:
        """Scans, and yields the changes since the last scan.

        A port without a name that may be an ST-LINK's may get its name with the next link. It is reported once the
        links have settled. So is every board that arrives meanwhile, since the port may turn out to have the same
        serial number.
        """
        found, order = self._look()
        told, touched = self._told, order.keys()
        stayed = {port for port in told.keys() & found.keys() if told[port].stayed(found[port], touched)}
        nameless = {port for port, sighting in found.items() if sighting.nameless}
        undecided = set() if settled else {port for port in nameless if port not in stayed or not told[port].nameless}
        now = sightings.judged({port: found[port] for port in found if port not in undecided})
        if undecided:
            now = {port: sighting for port, sighting in now.items() if port in stayed}
        self._wait_for({port: found[port] for port in undecided}, touched)
        self._events.extend(changes(boards(told), boards(now), now.keys() & told.keys() - stayed))
        self._told = now

    def _wait_for(self, undecided: dict[str, Sighting], touched: AbstractSet[str]) -> None:
        """Until when these ports may get a name. What happens to other files near by puts nothing off."""
        links = {name for sighting in undecided.values() for name in sighting.links}
        if not undecided:
            self._settled_at = None
        elif undecided.keys() != self._undecided.keys() or links & touched:
            self._settled_at = asyncio.get_running_loop().time() + SETTLED_AFTER
        self._undecided = undecided

    def _look(self) -> tuple[dict[str, Sighting], dict[str, int]]:
        """The sightings of one scan in the order of their coming, and the links that events have named since the last."""
        touched = self._touched()
        for _ in range(LOOKS):
            self._watch()  # before the scan: a link that is made later causes an event
            found = sightings.found(self._directory, self._memory)
            if not (meanwhile := self._touched(len(touched))):
                break
            # the scan may or may not have seen this change: scan again, so that it does not count twice
            touched = {**meanwhile, **touched}
        else:
            self._watch()
            found = sightings.found(self._directory, self._memory)
        return _in_order(found, touched), touched

    def _touched(self, before: int = 0) -> dict[str, int]:
        """Takes all waiting events at once, for one scan: one scan per event would cost a full hub its square.

        Each link's name has its place in the order of the events, of which there were some `before`.
        """
        touched: dict[str, int] = {}
        for event in iter(self._inotify.sync_get, None):
            touched.setdefault(_name(event), before + len(touched))
        if touched.keys() & self._folders:  # a folder that was made before it was watched, or events that were lost
            self._memory.forget_all()
        elif touched:
            self._memory.forget(touched.keys())
        return touched

    def _watch(self) -> None:
        """Adds every watch again, which costs nothing if it exists: a new folder may have its predecessor's inode."""
        wanted = [self._directory / "by-id", self._directory / "by-path", self._directory]
        wanted.append(next(parent for parent in self._directory.parents if parent.is_dir()))
        for path in wanted:
            try:
                self._inotify.add_watch(path, _CHANGES)
            except OSError as exc:  # the folder does not exist now; an event of its parent will report it
                if fault := exhausted(f"watch {path}", exc):
                    raise fault from exc


@asynccontextmanager
async def watching(directory: Path) -> AsyncIterator[LinksHotplug]:
    """The hotplug source for `directory`, for the block."""
    with ExitStack() as stack:
        with named("watch the places of boards"):
            inotify = stack.enter_context(Inotify(sync_timeout=0))
        yield LinksHotplug(directory, inotify)


def _in_order(found: dict[str, Sighting], touched: Mapping[str, int]) -> dict[str, Sighting]:
    """First those of which no event told; of the others, those whose first link came earlier."""
    places = {
        port: min((touched[name] for name in sighting.links if name in touched), default=-1)
        for port, sighting in found.items()
    }
    return {port: found[port] for port in sorted(found, key=places.__getitem__)}


def _name(event: Event | None) -> str:
    """The name of the link that the event is about; None if it is about the watched folder itself."""
    return str(event.name) if event is not None and event.name is not None else ""
