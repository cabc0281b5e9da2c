"""Hotplug from a directory laid out like /dev/serial, watched with inotify. The one home of asyncinotify.

The directory may not exist yet, may vanish and come back with its last link; a scan on every event is the truth.
"""

import asyncio
import os
import re
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import structlog
from asyncinotify import Inotify, Mask

from station.faults import SlotFault
from station.faults.resources import exhausted, named
from station.faults.slot import ProbeDuplicate, ProbeUnidentified
from station.ports import BoardArrived, BoardLeft

log = structlog.get_logger()

_PROBE = re.compile(r"usb-STMicroelectronics_.*_(?P<serial_number>[0-9A-Za-z]+)-if[0-9a-f]{2}")
_INTERFACE = re.compile(r":\d+\.\d+$")  # by-path names end in the USB interface, which is not a place
SETTLED_AFTER = 0.5  # seconds without an event; udev makes a device's links within milliseconds of one another

_CHANGES = Mask.CREATE | Mask.DELETE | Mask.MOVE | Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.ONLYDIR


def boards_in(directory: Path) -> dict[str, BoardArrived]:
    """The boards that the links name, by physical path. Two probes with one serial number are both refused."""
    probes = {tty: match["serial_number"] for name, tty in _links(directory / "by-id") if (match := _PROBE.match(name))}
    ttys = {_INTERFACE.sub("", name): tty for name, tty in _links(directory / "by-path")}
    found = Counter(probes.values())
    boards = {}
    for path, tty in ttys.items():
        probe = probes.get(tty, "")
        refused: SlotFault | None = None
        if not probe:
            refused = ProbeUnidentified(tty)
        elif found[probe] > 1:
            refused = ProbeDuplicate(probe)
        boards[path] = BoardArrived(path, probe, tty, refused)
    return boards


def changes(before: dict[str, BoardArrived], after: dict[str, BoardArrived]) -> Iterator[BoardArrived | BoardLeft]:
    """What happened between two scans; a board that was exchanged left and arrived."""
    for path, board in before.items():
        if not _same(board, after.get(path)):
            yield BoardLeft(path)
    for path, board in after.items():
        if not _same(board, before.get(path)):
            yield board


class LinksHotplug:
    """Boards that come and go below one directory."""

    def __init__(self, directory: Path, inotify: Inotify) -> None:
        self._directory = directory
        self._inotify = inotify
        self._watched: dict[Path, int] = {}
        self._boards: dict[str, BoardArrived] = {}
        self._unsettled = False
        self._events: deque[BoardArrived | BoardLeft] = deque()

    async def next(self) -> BoardArrived | BoardLeft:
        """The next board to arrive or leave; those that are there at the start arrive first."""
        if not self._events:
            self._scan(settled=False)
        while not self._events:
            try:
                async with asyncio.timeout(SETTLED_AFTER if self._unsettled else None):
                    await self._inotify.get()
            except TimeoutError:
                self._scan(settled=True)
            else:
                while (
                    self._inotify.sync_get()
                ):  # one scan answers for all that happened: else a full hub costs its square
                    pass
                self._scan(settled=False)
        return self._events.popleft()

    def _scan(self, *, settled: bool) -> None:
        """A port without a probe's name may get it with the next link, so it is told only once the links are settled."""
        self._watch()  # before the look: what comes after it makes an event
        boards = boards_in(self._directory)
        nameless = {path for path, board in boards.items() if not board.probe and path not in self._boards}
        if not settled:
            boards = {path: board for path, board in boards.items() if path not in nameless}
        self._unsettled = bool(nameless) and not settled
        self._events.extend(changes(self._boards, boards))
        self._boards = boards

    def _watch(self) -> None:
        wanted = [self._directory / "by-id", self._directory / "by-path", self._directory]
        wanted.append(next(parent for parent in self._directory.parents if parent.is_dir()))
        for path in wanted:
            try:
                inode = path.stat().st_ino
                if self._watched.get(path) != inode:
                    self._inotify.add_watch(path, _CHANGES)
                    self._watched[path] = inode
            except OSError as exc:  # it is not there now; its parent will tell when it is
                if fault := exhausted(f"watch {path}", exc):
                    raise fault from exc
                self._watched.pop(path, None)


@asynccontextmanager
async def watching(directory: Path) -> AsyncIterator[LinksHotplug]:
    """The hotplug source for `directory`, for the block."""
    with ExitStack() as stack:
        with named("watch the places of boards"):
            inotify = stack.enter_context(Inotify(sync_timeout=0))
        yield LinksHotplug(directory, inotify)


def _same(one: BoardArrived, other: BoardArrived | None) -> bool:
    if other is None:
        return False
    refusals = [board.refused.code if board.refused else None for board in (one, other)]
    return (one.probe, one.tty) == (other.probe, other.tty) and refusals[0] == refusals[1]


def _links(directory: Path) -> Iterator[tuple[str, str]]:
    """Name and target of each link, one level deep: `/dev/ttyACM0`, whatever that is a link to."""
    place = str(directory)  # plain strings: pathlib takes ten times as long, while every slot waits
    try:
        names = sorted(os.listdir(place))  # noqa: PTH208
    except OSError as exc:  # the directory goes with its last link
        if fault := exhausted(f"list {place}", exc):
            raise fault from exc  # else all boards would seem to have left
        return
    for name in names:
        try:
            target = os.readlink(f"{place}/{name}")  # noqa: PTH115
        except OSError:  # it went between the two looks
            continue
        yield name, os.path.normpath(os.path.join(place, target))  # noqa: PTH118
