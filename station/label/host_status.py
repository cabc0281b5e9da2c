# SPDX-License-Identifier: Apache-2.0
"""What a Zebra answers to `~HS`: three lines between STX and ETX, with flags by their places (ZPL II Programming Guide). Pure.

Bytes in, values out; noise between the lines is passed over.
"""

from dataclasses import dataclass

QUESTION = b"~HS"
STX, ETX = b"\x02", b"\x03"
LONGEST = 1024  # bytes; an answer has about eighty
_FIELDS = (12, 11, 2)  # of the three lines


@dataclass(frozen=True, slots=True)
class HostStatus:
    """One answer. `left` is how many labels and formats the printer has still to print."""

    trouble: str | None
    left: int


class HostStatusReader:
    """Cuts a printer's answers out of what it sends, whatever sizes that arrives in."""

    def __init__(self) -> None:
        self._partial = b""
        self._lines: list[list[str]] = []

    def feed(self, data: bytes) -> list[HostStatus]:
        self._partial += data
        found = []
        while STX in self._partial:
            line, end, rest = self._partial.partition(STX)[2].partition(ETX)
            if not end:
                break
            self._partial = rest
            if (status := self._taken(line)) is not None:
                found.append(status)
        self._partial = self._partial[-LONGEST:]
        return found

    def _taken(self, line: bytes) -> HostStatus | None:
        """Takes one line; returns the status after the third. A line that is not the expected one begins anew."""
        fields = line.decode("ascii", errors="replace").split(",")
        if len(fields) != _FIELDS[len(self._lines)]:
            self._lines = []
            if len(fields) != _FIELDS[0]:
                return None
        self._lines.append(fields)
        if len(self._lines) < len(_FIELDS):
            return None
        (first, second, _), self._lines = self._lines, []
        return _status(first, second)


def _status(first: list[str], second: list[str]) -> HostStatus:
    flags = (
        (first[1], "no media"),
        (second[2], "the head is open"),
        (second[3], "no ribbon"),
        (first[2], "it is paused"),
        (first[5], "its buffer is full"),
        (first[9], "its memory was lost"),
        (first[10], "the head is too cold"),
        (first[11], "the head is too hot"),
    )
    try:
        trouble = next((words for flag, words in flags if int(flag)), None)
        return HostStatus(trouble, int(first[4]) + int(second[8]))
    except ValueError:
        return HostStatus("its status cannot be read", 0)
