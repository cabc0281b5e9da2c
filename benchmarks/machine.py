# SPDX-License-Identifier: Apache-2.0
"""Describes the machine in each report, since figures of different machines cannot be compared."""

import json
import os
import platform
import re
import sqlite3
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Self

CPUINFO = Path("/proc/cpuinfo")
TRIES = 10
PACKAGES = ("uvloop", "cryptography", "sqlalchemy", "aiohttp")


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine, now."""

    at: str
    processor: str
    cores: int
    system: str
    python: str
    sqlite: str
    packages: dict[str, str]
    load: float
    pace: float
    """Milliseconds of CPU for `_fixed_work`: builds of one version of Python differ by a third, and hosts by more."""

    @classmethod
    def here(cls) -> Self:
        return cls(
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            processor=_processor(),
            cores=len(os.sched_getaffinity(0)),
            system=f"{platform.system()} {platform.release()}",
            python=platform.python_version(),
            sqlite=sqlite3.sqlite_version,
            packages={name: version(name) for name in PACKAGES},
            load=round(os.getloadavg()[0], 2),
            pace=round(1000 * min(_fixed_work() for _ in range(TRIES)), 1),
        )

    def __str__(self) -> str:
        cores = f"{self.cores} cores of {self.processor}"
        python = f"Python {self.python} ({self.pace:.1f} ms for the fixed work)"
        return f"{self.at}  {cores}, {self.system}, {python}, SQLite {self.sqlite}, load {self.load:.2f}"

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def _fixed_work() -> float:
    """CPU seconds of some calls, objects, dictionaries and JSON in Python's own code, as a daemon's work is made of."""
    began = time.process_time()
    seen: dict[int, list[_Piece]] = {}
    for number in range(10_000):
        piece = _Piece(number, str(number))
        seen.setdefault(piece.rest(), []).append(piece)
    json.dumps([[piece.text for piece in pieces] for pieces in seen.values()], indent=1)  # without the C encoder
    return time.process_time() - began


class _Piece:
    def __init__(self, number: int, text: str) -> None:
        self.number = number
        self.text = text

    def rest(self) -> int:
        return self.number % 97


def _processor() -> str:
    found = re.search(r"model name\s*: (.+)", CPUINFO.read_text()) if CPUINFO.exists() else None
    return found.group(1) if found else platform.processor() or "an unknown processor"
