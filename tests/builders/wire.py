# SPDX-License-Identifier: Apache-2.0
"""A board's end of a serial port: a pty whose other end belongs to the test."""

import asyncio
import os
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from station.link.frames import FrameReader, Noise, encode

Reply = Callable[[bytes], list[bytes]]
"""The body of a question to what is sent back, raw."""


class Wire:
    """Answers questions as the test says, and remembers them."""

    def __init__(self, master: int, path: str) -> None:
        self.path = path
        self.asked: list[bytes] = []
        self.reply: Reply = lambda _: []
        self._master = master
        self._frames = FrameReader()
        os.set_blocking(master, False)
        asyncio.get_running_loop().add_reader(master, self._ready)

    def say(self, data: bytes) -> None:
        os.write(self._master, data)

    async def pour(self, data: bytes) -> None:
        """Sends more than the line can hold at once."""
        while data:
            try:
                data = data[os.write(self._master, data) :]
            except BlockingIOError:
                await asyncio.sleep(0)

    def hang_up(self) -> None:
        if self._master >= 0:
            asyncio.get_running_loop().remove_reader(self._master)
            os.close(self._master)
            self._master = -1

    def _ready(self) -> None:
        try:
            data = os.read(self._master, 4096)
        except OSError:  # the station closed its end
            return
        for body in self._frames.feed(data):
            if not isinstance(body, Noise):
                self.asked.append(body)
                for answer in self.reply(body):
                    self.say(answer)


@contextmanager
def wired() -> Iterator[Wire]:
    """A pty with a board's end; call it inside the running loop."""
    master, slave = os.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    os.close(slave)
    wire = Wire(master, path)
    try:
        yield wire
    finally:
        wire.hang_up()


def answer(question: bytes, payload: bytes) -> bytes:
    """The frame that answers this question."""
    return encode(bytes([question[0] | 0x80, question[1]]) + payload)
