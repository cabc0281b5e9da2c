# SPDX-License-Identifier: Apache-2.0
"""What a recipe says of its units' labels: how they look, where they are printed, and whether a unit needs one. Pure."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Self

from station.label.layout import Layout

PORT = 9100  # raw printing
_TCP = re.compile(r"tcp://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]{1,253})(?::(?P<port>[0-9]{1,5}))?")
_QUEUE = re.compile(
    r"cups:(?P<name>[A-Za-z0-9._][A-Za-z0-9._-]{0,126})"
)  # no hyphen first: lp would take it for an option
EXPECTED = "expected tcp://host:9100, cups:NAME, or file:/a/folder"


@dataclass(frozen=True, slots=True)
class TCPPrinter:
    """A printer that reads ZPL at a port of its own, and answers there."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of CUPS, which gets PDF."""

    name: str


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that gets one file of ZPL a print."""

    path: PurePosixPath


Printer = TCPPrinter | Queue | Folder


def printer(text: str) -> Printer:
    """The printer of this name; raises `ValueError`."""
    if found := _TCP.fullmatch(text):
        number = int(found["port"] or PORT)
        if number not in range(1, 0x10000):
            raise ValueError(f"found port {number}, {EXPECTED}")
        return TCPPrinter(found["host"].strip("[]"), number)
    if found := _QUEUE.fullmatch(text):
        return Queue(found["name"])
    if text.startswith("file:/") and not text.startswith("file://"):
        return Folder(PurePosixPath(text.removeprefix("file:")))
    raise ValueError(f"found {text[:80]!a}, {EXPECTED}")


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """The labels of one recipe. Without a printer they are only drawn; a `required` one belongs to a finished unit.

    `reprints` is how many prints of one unit an operator may ask for after the first.
    """

    layout: Layout
    printer: Printer | None
    required: bool
    reprints: int

    @classmethod
    def of(cls, layout: Layout, printer_name: str | None, *, required: bool, reprints: int) -> Self:
        return cls(layout, None if printer_name is None else printer(printer_name), required, reprints)
