#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Drives a tower light at a USB serial port for `[andon]`: `command = ["/usr/local/bin/andon_light.py", "/dev/ttyUSB0"]`.

It needs nothing but Python. The bytes are those of the three-coloured USB towers with a CH340 at 9600 baud; another light needs
another `SWITCHES`. Dark means that nobody is wanted, or that nobody knows: the page tells which.
"""

import json
import os
import select
import signal
import sys
import termios
import time
from collections.abc import Mapping

WATCHDOG = 3.0  # seconds without a beat after which the lamp goes dark
SWITCHES = {"red": (b"\x11", b"\x21"), "yellow": (b"\x12", b"\x22"), "green": (b"\x14", b"\x24")}  # on, off
BUZZER_OFF = b"\x28"

Colours = frozenset[str]
DARK: Colours = frozenset()
Counts = Mapping[str, int]


class Light:
    """The tower at a serial port; dark from the start, since an earlier program may have left it lit."""

    def __init__(self, path: str) -> None:
        self._port = os.open(path, os.O_WRONLY | os.O_NOCTTY)
        if os.isatty(self._port):
            _make_raw(self._port)
        self._shown = DARK
        self.switch(DARK)

    def show(self, colours: Colours) -> None:
        if colours != self._shown:
            self.switch(colours)

    def switch(self, colours: Colours) -> None:
        """Tells the tower, whatever it shows: a signal may have come between an earlier telling and its note."""
        switched = [on if name in colours else off for name, (on, off) in SWITCHES.items()]
        os.write(self._port, b"".join([*switched, BUZZER_OFF]))
        self._shown = colours


def _make_raw(port: int) -> None:
    settings = termios.tcgetattr(port)
    settings[0] = settings[1] = settings[3] = 0  # nothing is translated
    settings[2] = termios.CS8 | termios.CLOCAL | termios.CREAD
    settings[4] = settings[5] = termios.B9600
    termios.tcsetattr(port, termios.TCSANOW, settings)


def colours_of(line: Mapping[str, str | None], hands: Counts) -> Colours:
    """Red: a board for the reject bin, a slot or a line for a technician. Yellow: plug in again, or wait. Green: a good board."""
    wanted = set()
    paused = line["state"] == "paused"
    if hands["fail"] or hands["out of service"] or (paused and line["act"] != "wait"):
        wanted.add("red")
    if hands["void"] or paused:
        wanted.add("yellow")
    if hands["pass"]:
        wanted.add("green")
    return frozenset(wanted)


def follow(light: Light) -> None:
    """Shows what comes on the standard input, for as long as beats come."""
    partial, colours = b"", DARK
    beat: float | None = None
    while True:
        left = None if beat is None else max(0.0, beat + WATCHDOG - time.monotonic())
        readable, *_ = select.select([sys.stdin.fileno()], [], [], left)
        if readable:
            read = os.read(sys.stdin.fileno(), 1 << 16)
            if not read:
                return  # the station has ended, or has been killed
            *lines, partial = (partial + read).split(b"\n")
            for told in map(json.loads, lines):
                if told["event"] == "state":
                    colours = colours_of(told["line"], told["hands"])
                elif told["event"] == "beat":
                    beat = time.monotonic()
        if beat is not None and time.monotonic() - beat >= WATCHDOG:
            beat = None
        light.show(DARK if beat is None else colours)


def end(*_: object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # a second one must not keep the lamp from going dark
    sys.exit()


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    light = Light(sys.argv[1])
    try:
        follow(light)
    finally:
        light.switch(DARK)


if __name__ == "__main__":
    main()
