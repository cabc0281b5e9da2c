# SPDX-License-Identifier: Apache-2.0
"""Takes the figures of a running line: from its processes, its files, its status and its ledger. Linux only."""

import os
import re
import sqlite3
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median

from benchmarks.processes import PROC, cpu_seconds
from tests.builders.line import LOG, Line
from tests.soak.figures import Figures
from tests.soak.people import asked

SCRAPED_WITHIN = 60.0


class Sampler:
    """The figures of one line; `interventions` counts what people had to do for it."""

    def __init__(self, line: Line, interventions: Callable[[], int]) -> None:
        self._line = line
        self._interventions = interventions
        self._began = time.monotonic()
        self._counted = set[int]()
        self._passed = 0

    def sample(self) -> Figures:
        """Raises `LineFailed` if the daemon is gone. Also asks the page for its metrics, as Prometheus does."""
        folder, status = self._line.folder, asked(self._line)
        if status.page is not None and status.page.url is not None:
            _scrape(status.page.url)
        daemon = self._line.processes["daemon"].pid
        ended = self._ended()
        mine = _status(daemon)
        return Figures(
            seconds=time.monotonic() - self._began,
            memory=_bytes(mine, "RssAnon"),
            resident=_bytes(mine, "VmRSS"),
            descriptors=len(list((PROC / str(daemon) / "fd").iterdir())),
            threads=int(mine["Threads"]),
            cpu_seconds=cpu_seconds(daemon),
            ledger=_size(folder / "ledger.sqlite"),
            wal=_size(folder / "ledger.sqlite-wal"),
            log=sum(_size(each) for each in (folder / LOG.parent).glob(f"{LOG.name}*")),
            transcripts=sum(_size(each) for each in (folder / "transcripts").rglob("*")),
            outbox=sum(sink.pending for sink in status.mes.sinks) if status.mes else 0,
            lag_p50=status.loop_lag.p50,
            lag_p99=status.loop_lag.p99,
            lag_max=status.loop_lag.max,
            cycle=median(ended) if ended else None,
            passed=self._passed,
            not_passed=len(self._counted) - self._passed,
            interventions=self._interventions(),
            bench_memory=_bytes(_status(self._line.processes["bench"].pid), "RssAnon"),
            pki_memory=_bytes(_status(self._line.processes["pki"].pid), "RssAnon"),
            load=os.getloadavg()[0],
        )

    def _ended(self) -> list[float]:
        """The seconds of the attempts that have passed since the last look; counts these and the others."""
        query = "SELECT id, verdict, seconds FROM attempt WHERE verdict IS NOT NULL"
        with closing(sqlite3.connect(f"file:{self._line.folder / 'ledger.sqlite'}?mode=ro", uri=True)) as ledger:
            new = [(verdict, seconds) for number, verdict, seconds in ledger.execute(query) if self._is_new(number)]
        passed = [float(seconds) for verdict, seconds in new if verdict == "pass"]
        self._passed += len(passed)
        return passed

    def _is_new(self, number: int) -> bool:
        if number in self._counted:
            return False
        self._counted.add(number)
        return True


def _scrape(url: str) -> None:
    page = f"{url.rstrip('/')}/metrics"
    with urllib.request.urlopen(page, timeout=SCRAPED_WITHIN) as answer:  # noqa: S310  the daemon's own page
        answer.read()


def _status(pid: int) -> dict[str, str]:
    return dict(re.findall(r"^(\w+):\s+(\d+)", (PROC / str(pid) / "status").read_text(), re.MULTILINE))


def _bytes(status: dict[str, str], name: str) -> int:
    return int(status[name]) * 1024


def _size(path: Path) -> int:
    """0 for a file that is not there, or no longer."""
    try:
        return path.stat().st_size if not path.is_dir() else 0
    except FileNotFoundError:
        return 0
