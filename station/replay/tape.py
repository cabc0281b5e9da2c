# SPDX-License-Identifier: Apache-2.0
"""What one attempt meets, as entries of its recording: kept in memory while it runs, written out without secrets at its end.

Its limits keep a board or a programmer that says much from filling memory; a recording that met one says so.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from station.domain.attempt import Confirmed
from station.domain.identity import Identity
from station.domain.target import Region
from station.faults import Fault
from station.recipe.recipe import Recipe
from station.replay import harmless
from station.replay.entries import FORMAT, base64_of, fault_entry

MOST_TEXT = 256 << 10  # characters of the programmer; an attempt has about 20,000
MOST_BYTES = 64 << 10  # of the board; an attempt has about 3,000
MOST_READS = 64
Entry = dict[str, object]


@dataclass(slots=True)
class Run:
    """One run of the programmer; `at` since the attempt's begin, all other times by the clock."""

    at: float
    began: float
    command: Sequence[str]
    said: list[tuple[float, str]] = field(default_factory=list)
    ended: float | None = None
    status: int | None = None
    refused: Entry | None = None

    def entry(self) -> Entry:
        lines = [[round(at - self.began, 3), line] for at, line in self.said]
        told: Entry = {"at": self.at, "kind": "run", "command": list(self.command), "said": lines}
        if self.ended is not None:
            told |= {"ended": round(self.ended - self.began, 3), "status": self.status}
        return told if self.refused is None else told | {"refused": self.refused}


class Tape:
    """The recording of one attempt in the making (`interfaces.Traffic`). `head` says what the attempt was begun with."""

    def __init__(
        self, number: int, head: Mapping[str, object], recipe: Recipe, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.number = number
        self.head: Entry = dict(head)
        self.identity: Identity | None = None
        self._recipe = recipe
        self._now = now
        self._began = now()
        self._told: list[Entry | Run] = []
        self._reads: list[tuple[Entry, Region, bytes]] = []
        self._heard: list[tuple[Entry, bytes]] = []  # of the open port
        self._run: Run | None = None
        self._text = self._bytes = 0
        self._cancelled = self._confirmed = False

    def told(self, kind: str, **values: object) -> Entry:
        """Adds an entry, whose values are JSON's."""
        entry: Entry = {"at": self._at(), "kind": kind, **values}
        self._confirmed |= values.get("type") == Confirmed.on_disk.name
        self._told.append(entry)
        return entry

    def cancelled(self) -> None:
        """The board left, or the station stops: what comes now is not the attempt's any more."""
        if not self._cancelled:
            self._cancelled = True
            self.told("cancelled")

    def entries(self) -> Iterator[Entry]:
        """The whole recording, without a secret."""
        self._hear()
        for left, (entry, region, content) in zip(range(len(self._reads))[::-1], self._reads, strict=True):
            # Whoever confirms a unit has checked the key in the flash as it was read last.
            proven = self._confirmed and not left
            entry["content"] = harmless.block(self._recipe, self.identity, region, content, key_proven=proven)
        self._reads = []
        yield {"kind": "attempt", "format": FORMAT, "attempt": self.number, **self.head}
        for told in self._told:
            yield told.entry() if isinstance(told, Run) else told

    def run_began(self, command: Sequence[str]) -> None:
        self._run = Run(self._at(), self._now(), tuple(harmless.argument(each) for each in command))
        self._told.append(self._run)

    def run_said(self, line: str) -> None:
        if self._run is None:
            return
        self._text += len(line)
        if self._text > MOST_TEXT:
            self.head["cut"] = True
        else:
            self._run.said.append((self._now(), line))

    def run_refused(self, reason: Exception) -> None:
        if self._run is not None:
            errno = reason.errno if isinstance(reason, OSError) else None
            self._run.refused = fault_entry(reason) if isinstance(reason, Fault) else {"errno": errno}

    def run_ended(self, status: int) -> None:
        if self._run is not None:
            self._run.ended, self._run.status = self._now(), status

    def run_left(self) -> None:
        self._run = None

    def was_read(self, region: Region, content: bytes, meant: bytes | None = None) -> None:
        if self._cut(len(self._reads) >= MOST_READS):
            return
        entry = self.told("read", address=region.address, size=region.size)
        if meant is None:
            self._reads.append((entry, region, content))
        else:
            entry["content"] = harmless.witness(content, meant)

    def port_opened(self) -> None:
        self._hear()
        self.told("port")

    def port_refused(self, fault: Fault) -> None:
        self.told("port", **fault_entry(fault))

    def sent(self, data: bytes) -> None:
        if not self._cut(self._bytes > MOST_BYTES):
            self._bytes += len(data)
            self.told("sent", data=base64_of(data))

    def received(self, data: bytes) -> None:
        if not self._cut(self._bytes > MOST_BYTES):
            self._bytes += len(data)
            self._heard.append((self.told("received"), data))

    def port_lost(self) -> None:
        self.told("lost")

    def _at(self) -> float:
        return round(self._now() - self._began, 3)

    def _hear(self) -> None:
        """Gives each piece that the port has brought its harmless bytes, which only the whole stream shows."""
        kept = harmless.stream(b"".join(data for _, data in self._heard))
        at = 0
        for entry, data in self._heard:
            entry["data"] = base64_of(kept[at : at + len(data)])
            at += len(data)
        self._heard = []

    def _cut(self, over: bool) -> bool:  # noqa: FBT001  a predicate on its way through
        if over:
            self.head["cut"] = True
        return over


def with_identity(tape: Tape, identity: Identity | None) -> None:
    """Remembers the identity with which read-backs are compared; its certificate may come later and does not matter."""
    if identity is not None:
        tape.identity = replace(identity, credentials=None)
