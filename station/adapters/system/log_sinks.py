# SPDX-License-Identifier: Apache-2.0
"""Destinations of log lines.

Each has a bounded queue and a thread, so that none blocks the loop or another destination. Lines may be lost, boards
not. Lost lines are counted, and the next line that is written reports the count.
"""

import contextlib
import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from queue import Empty, SimpleQueue

QUEUE_SIZE = 1 << 20  # bytes: some thousand lines, a minute of a full line of slots
RETRIED_EVERY = 1.0
AT_ONCE = 100  # lines in one write
STDERR = 2


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """One destination's state: lines lost since the start, lines waiting, and the reason why they cannot be written."""

    sink: str
    lost: int
    waiting: int
    fault: str | None


class Sink:
    """One destination.

    `open_` opens it, again after a failure; `loss` makes the line that reports so many lost lines.
    """

    def __init__(
        self, name: str, open_: Callable[[], int], loss: Callable[[int], bytes], *, complains: bool = True
    ) -> None:
        self.name = name
        self._complains = complains
        self._open = open_
        self._loss = loss
        # The lock is never held during a write. It is reentrant, since a garbage collection in here may log a line.
        self._lock = threading.RLock()
        self._news = SimpleQueue[None]()  # wakes the thread; a condition would take it twice as long, for each line
        self._lines = deque[bytes]()
        self._size = self._lost = self._untold = 0
        self._fault: str | None = None
        self._descriptor: int | None = None
        self._written = 0  # bytes of the first waiting line that are in the file
        self._reopen = self._closing = False
        # A thread that a full pipe blocks for ever must not block the end of the process.
        self._thread = threading.Thread(target=self._work, name=f"log {name}", daemon=True)
        self._thread.start()

    @property
    def status(self) -> SinkStatus:
        with self._lock:
            return SinkStatus(self.name, self._lost, len(self._lines), self._fault)

    def put(self, line: bytes) -> None:
        """Never waits: if the queue is full, this line is lost, so that the others keep their order."""
        with self._lock:
            if self._size + len(line) > QUEUE_SIZE:
                self._lost += 1
                self._untold += 1
                return
            self._tell_loss()
            self._append(line)

    def reopen(self) -> None:
        """Lines written from now on go to the file that has the name now."""
        with self._lock:
            self._reopen = True
            self._news.put(None)

    def end(self) -> None:
        """Takes no further line; `join` waits for the queued ones."""
        with self._lock:
            self._tell_loss()
            self._closing = True
            self._news.put(None)

    def join(self, within: float | None) -> None:
        """Waits until every line is written or cannot be written, at most so many seconds."""
        self._thread.join(within)

    def _tell_loss(self) -> None:
        if self._untold:
            self._append(self._loss(self._untold))
            self._untold = 0

    def _append(self, line: bytes) -> None:
        self._lines.append(line)
        self._size += len(line)
        if len(self._lines) == 1:  # else the thread is writing, and looks again
            self._news.put(None)

    def _work(self) -> None:
        while self._has_lines():
            try:
                self._write()
            except OSError as exc:
                if not self._goes_on_after(exc):
                    break
            else:
                self._fault = None
        if self._descriptor is not None:
            os.close(self._descriptor)

    def _has_lines(self) -> bool:
        """Waits for lines; False at the end."""
        while not self._lines and not self._closing:
            self._news.get()
        return bool(self._lines)

    def _write(self) -> None:
        descriptor = self._opened()
        with self._lock:
            lines = b"".join(islice(self._lines, AT_ONCE))
        try:
            self._take(os.write(descriptor, lines[self._written :]))
        except BlockingIOError:  # another program has set this pipe or terminal to non-blocking
            _takes_more(descriptor, RETRIED_EVERY)

    def _take(self, written: int) -> None:
        """Removes the lines that are written whole, now that so many bytes more are in the file."""
        self._written += written
        with self._lock:
            while self._lines and self._written >= len(self._lines[0]):
                line = self._lines.popleft()
                self._size -= len(line)
                self._written -= len(line)

    def _opened(self) -> int:
        before = self._descriptor
        if before is not None and not self._reopen and os.fstat(before).st_nlink:
            return before
        self._reopen = False  # before opening, so that a signal during the opening counts
        now = self._descriptor = self._open()
        if before is not None:
            if not os.path.sameopenfile(before, now):
                self._written = 0  # a line torn in the old file is written whole into the new one
            os.close(before)
        return now

    def _goes_on_after(self, exc: OSError) -> bool:
        """Reports the first failure, and waits for the next try; False if no further line will come."""
        reason = ": ".join(filter(None, (exc.strerror or type(exc).__name__, exc.filename)))
        if self._fault is None and self._complains:
            _complain(f"log {self.name}: {reason}. Lines are kept, then lost and counted; it is tried again.\n")
        self._fault = reason
        self._reopen = True
        goes_on, until = not self._closing, time.monotonic() + RETRIED_EVERY
        while not self._closing and (left := until - time.monotonic()) > 0:
            with contextlib.suppress(Empty):
                self._news.get(timeout=left)
        return goes_on


def end(sinks: Iterable[Sink], within: float | None) -> None:
    """Ends all destinations, and waits at most so many seconds for queued lines."""
    deadline = None if within is None else time.monotonic() + within
    for sink in sinks:
        sink.end()
    for sink in sinks:
        sink.join(None if deadline is None else max(0.0, deadline - time.monotonic()))


def spare_the_end(within: float) -> None:
    """Redirects standard error if nobody reads it: output at the process's end would block it for ever."""
    if sys.__stderr__ is not None and not _takes_more(STDERR, within):
        elsewhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(elsewhere, STDERR)
        os.close(elsewhere)


def _complain(text: str) -> None:
    """Writes to standard error if it has a reader.

    In a process started without it, descriptor 2 may be another file.
    """
    if sys.__stderr__ is not None and _takes_more(STDERR, 0):
        with contextlib.suppress(OSError):  # its reader has just gone
            os.write(STDERR, text.encode(errors="backslashreplace"))


def _takes_more(descriptor: int, within: float) -> bool:
    """Whether standard error has a reader that takes output within so many seconds."""
    asked = select.poll()
    asked.register(descriptor, select.POLLOUT)
    return [events for _, events in asked.poll(1000 * within)] == [select.POLLOUT]
