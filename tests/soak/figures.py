# SPDX-License-Identifier: Apache-2.0
"""The figures of a line at one moment, and the CSV file that they stand in. Reads and writes files."""

import csv
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TextIO


class FiguresUnreadable(Exception):
    """A file does not hold the figures of a soak; the text names file, line and remedy."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One sample of the line. Sizes are in bytes; what is nowhere else said to be of bench or PKI is of the daemon."""

    seconds: float
    """Since the line stood."""
    memory: float
    """Of its own: without the libraries and files that it shares (`RssAnon`)."""
    resident: float
    descriptors: float
    threads: float
    cpu_seconds: float
    ledger: float
    wal: float
    log: float
    transcripts: float
    outbox: float
    """Messages that wait for the MES."""
    lag_p50: float
    """Seconds, over the last minute; so are the next two."""
    lag_p99: float
    lag_max: float
    cycle: float | None
    """The median of the attempts that have passed since the sample before; None if there was none."""
    passed: float
    not_passed: float
    """Attempts that failed or are void."""
    interventions: float
    """How often a slot was put into service again, or a board pulled that never got a verdict."""
    bench_memory: float
    pki_memory: float
    load: float
    """The machine's, over the last minute: a lag may be that of others."""


NAMES = tuple(field.name for field in fields(Figures))


class Writer:
    """Appends samples to an open file, each at once on disk: a run that is cut short leaves what it had."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._rows = csv.writer(file, lineterminator="\n")

    def head(self) -> None:
        self._rows.writerow(NAMES)

    def add(self, figures: Figures) -> None:
        values = asdict(figures).values()
        self._rows.writerow("" if value is None else f"{value:.6f}".rstrip("0").rstrip(".") for value in values)
        self._file.flush()
        os.fsync(self._file.fileno())


@contextmanager
def written(path: Path) -> Iterator[Writer]:
    """A new file for the block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8", newline="") as file:
        writer = Writer(file)
        writer.head()
        yield writer


def read(path: Path) -> list[Figures]:
    """The samples in a file, in order; its last line may be torn, as a power cut leaves it. Raises `FiguresUnreadable`."""
    try:
        whole, _, _torn = path.read_text(encoding="utf-8").rpartition("\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise FiguresUnreadable(f"{path} cannot be read: {exc}: name the CSV file of a soak") from exc
    head, *rows = list(csv.reader(whole.splitlines())) or [[]]
    if tuple(head) != NAMES:
        raise FiguresUnreadable(f"{path}, line 1: the columns must be {','.join(NAMES)}: name the CSV file of a soak")
    return [_figures(path, number, row) for number, row in enumerate(rows, 2)]


def _figures(path: Path, number: int, row: list[str]) -> Figures:
    try:
        given = dict(zip(NAMES, row, strict=True))
        cycle = float(text) if (text := given.pop("cycle")) else None
        return Figures(cycle=cycle, **{name: float(text) for name, text in given.items()})
    except ValueError as exc:
        raise FiguresUnreadable(f"{path}, line {number}: {exc}: remove the line, or take the whole file anew") from exc
