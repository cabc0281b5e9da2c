# SPDX-License-Identifier: Apache-2.0
"""`station slots learn`: writes the slots of a line by what is plugged into its places, one after the other."""

import asyncio
import os
import signal
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from station.adapters.hotplug import sources
from station.cli.consoles import say
from station.cli.exit_codes import FAILED
from station.cli.line.drain import ended
from station.cli.places import ConfigOption, config_path
from station.config import edited_file, plain_files, slot_tables, toml_file
from station.config import line as configuration
from station.config.environment import overridden
from station.config.sections import HotplugSection
from station.domain.usb_port import mistake_in
from station.interfaces import BoardArrived


class Source(Enum):
    """The sources of hotplug, for the command line."""

    UDEV = "udev"
    LINKS = "links"
    POLL = "poll"


def learn(
    config: ConfigOption = None,
    source: Annotated[
        Source | None,
        typer.Option(help="What tells of boards (default: the configuration's).", show_default=False),
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", min=1, metavar="N", help="End after N places, learned or known already.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the resulting tables of slots, and write nothing.")
    ] = False,
) -> None:
    """Plug a board, or an empty probe, into each place in turn: each place becomes a slot of the configuration.

    Every place is written as soon as it is learned, and the file is always whole: Enter or Ctrl-C ends, and nothing is lost.
    Comments, all other settings, and the slots that are there stay; a slot without a path gets the next place. Boards that
    are plugged in at the start do not count. The line's daemon must not run, since it would begin to flash. Exit code 1
    where the command ended before --count.
    """
    path = config_path(config)
    text, tables = toml_file.read(path)
    values = overridden(tables, os.environ)
    setting = configuration.hotplug_of(path, values, os.environ)
    if source is not None and source.value != setting.source:
        setting = HotplugSection(source=source.value)
    sources.check(setting, path)
    slots = slot_tables.slot_tables(path, text)
    _refuse_beside_daemon(path, values)
    if not dry_run:
        edited_file.check_replaceable(path)
    pupil = _Pupil(_Book(path, text, dry_run=dry_run), count)
    say(f"{path} has {_counted(len(slots))}")
    asyncio.run(_learn(setting, pupil))
    pupil.book.close()
    if pupil.is_ended_early:
        say(f"ended after {len(pupil.shown)} of {count} places", err=True)
        raise typer.Exit(FAILED)


def _refuse_beside_daemon(path: Path, values: Mapping[str, object]) -> None:
    """A daemon would begin to flash the board that is plugged in, and learns of new slots only when it starts."""
    socket = configuration.control_socket_of(path, values)
    if socket is not None and socket.exists() and not ended(socket):
        say(
            f"the line's daemon runs (at {socket}), and would begin to flash the boards that you plug in. "
            "End it with `station drain`, learn the slots, and start it again: it reads its slots when it starts.",
            err=True,
        )
        raise typer.Exit(FAILED)


def _counted(slots: int) -> str:
    return {0: "no slot", 1: "1 slot"}.get(slots, f"{slots} slots")


class _Book:
    """The configuration's file. Each place is written at once, into the text that the file has by then."""

    def __init__(self, path: Path, text: str, *, dry_run: bool) -> None:
        self._path = path
        self._text = text
        self._dry_run = dry_run

    @property
    def next_name(self) -> str:
        return slot_tables.next_name(self._slots())

    def slot_at(self, place: str) -> slot_tables.SlotTable | None:
        return next((slot for slot in self._slots() if slot.place == place), None)

    def read_again(self) -> None:
        """Takes over what somebody else has changed in the file meanwhile."""
        if not self._dry_run:
            self._text = toml_file.read(self._path).text

    def write(self, place: str) -> None:
        """Some slot has this place from now on."""
        changed = slot_tables.with_place(self._path, self._text, place)
        if changed != self._text and not self._dry_run:
            mark = BOM_UTF8 if plain_files.read(self._path).startswith(BOM_UTF8) else b""
            edited_file.replace(self._path, mark + changed.encode())
        self._text = changed

    def close(self) -> None:
        """Says what the file has now, or would have."""
        slots = self._slots()
        if self._dry_run:
            say(f"{self._path} stays as it is; it would have {_counted(len(slots))}:", "")
            say(*slot_tables.tables_in(self._path, self._text))
        else:
            say(f"{self._path} has {_counted(len(slots))}")

    def _slots(self) -> tuple[slot_tables.SlotTable, ...]:
        return slot_tables.slot_tables(self._path, self._text)


class _Pupil:
    """Learns each place at which a board arrives."""

    def __init__(self, book: _Book, count: int | None) -> None:
        self.book = book
        self.shown: set[str] = set()
        """The places at which a board arrived that are slots now."""
        self._count = count
        self._before: dict[str, BoardArrived] = {}
        self._untold: set[str] = set()

    @property
    def is_done(self) -> bool:
        return self._count is not None and len(self.shown) >= self._count

    @property
    def is_ended_early(self) -> bool:
        return self._count is not None and not self.is_done

    def begin(self, boards: Mapping[str, BoardArrived]) -> None:
        """Says which boards were there before, and asks for the first one."""
        self._before, self._untold = dict(boards), set(boards)
        for place in sorted(boards):
            slot = self.book.slot_at(place)
            say(f"plugged in already, and not counted: {place}, " + (f"slot {slot.name}" if slot else "no slot"))
        if boards:
            say("To count one of these places, unplug its board and plug it in again.")
        self._ask()

    def arrived(self, board: BoardArrived) -> None:
        """Learns the place of a board that somebody has plugged in."""
        if not self._is_plugged_in_now(board):
            return
        self.book.read_again()
        mistake = mistake_in(board.path)
        slot = self.book.slot_at(board.path)
        if board.refused is not None:
            say(f"not learned: {board.path}. {board.refused}")
        elif mistake is not None:
            say(f"not learned: {mistake}")
        else:
            name = slot.name if slot else self.book.next_name
            self.book.write(board.path)
            self.shown.add(board.path)
            if slot is None:
                say(f"learned {board.path} as slot {name}")
            elif mistake_in(slot.path) is None:
                say(f"{board.path} is slot {name} already")
            else:
                say(f"corrected the path of slot {name} to {board.path}")
        if not self.is_done:
            self._ask()

    def _ask(self) -> None:
        say(f"slot {self.book.next_name}: plug a board or an empty probe into its place; {_HOW_TO_END}")

    def _is_plugged_in_now(self, board: BoardArrived) -> bool:
        """Not a board that was there before: its source tells of it once, and again when its twin came or went."""
        before = self._before.get(board.path)
        is_first_told = board.path in self._untold
        self._untold.discard(board.path)
        if before is None or (before.probe, before.tty) != (board.probe, board.tty):
            self._before.pop(board.path, None)
            return True
        if is_first_told or _code(before) != _code(board):
            self._before[board.path] = board
            return False
        del self._before[board.path]
        return True


_HOW_TO_END = "Enter or Ctrl-C ends"


def _code(board: BoardArrived) -> str | None:
    return board.refused.code if board.refused else None


async def _learn(setting: HotplugSection, pupil: _Pupil) -> None:
    """Until all places are learned, or the person ends it; a place that is being written then is written whole."""
    lesson = asyncio.timeout(None)
    try:
        async with lesson, sources.watching(setting) as hotplug:
            with _person_may_end(lambda: None if lesson.expired() else lesson.reschedule(0)):
                pupil.begin(await asyncio.to_thread(sources.boards_now, setting))
                while not pupil.is_done:
                    event = await hotplug.next()
                    if isinstance(event, BoardArrived):
                        pupil.arrived(event)
    except TimeoutError:
        if not lesson.expired():
            raise


@contextmanager
def _person_may_end(end: Callable[[], None]) -> Iterator[None]:
    """Enter on a terminal, Ctrl-C and SIGTERM end the lesson. A pipe's end does not: a service has no input at all."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, end)
    is_watched = sys.stdin is not None and sys.stdin.isatty()

    def entered() -> None:
        os.read(sys.stdin.fileno(), 4096)  # else the shell would get it
        end()

    if is_watched:
        loop.add_reader(sys.stdin.fileno(), entered)
    try:
        yield
    finally:
        if is_watched:
            loop.remove_reader(sys.stdin.fileno())
        for number in numbers:
            loop.remove_signal_handler(number)
