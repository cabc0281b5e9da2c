# SPDX-License-Identifier: Apache-2.0
"""Describes the machine in each report, since figures of different machines cannot be compared."""

import os
import platform
import re
import sqlite3
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Self

CPUINFO = Path("/proc/cpuinfo")
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
        )

    def __str__(self) -> str:
        cores = f"{self.cores} cores of {self.processor}"
        return f"{self.at}  {cores}, {self.system}, Python {self.python}, SQLite {self.sqlite}, load {self.load:.2f}"

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def _processor() -> str:
    found = re.search(r"model name\s*: (.+)", CPUINFO.read_text()) if CPUINFO.exists() else None
    return found.group(1) if found else platform.processor() or "an unknown processor"
