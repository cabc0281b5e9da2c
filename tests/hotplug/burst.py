# SPDX-License-Identifier: Apache-2.0
"""Measures a full hub that comes up at once: `make burst`.

The daemon learns of the boards from udev; the host is pretended, the boards are virtual, and programmers run in real time.
When a board was plugged in is the host's clock, when its attempt began is the ledger's; both are this machine's.
"""

import json
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tests.hotplug.udev_line import UdevLine

SETTLED_AFTER = 61.0  # seconds: the daemon's lag is that of its last minute, and its start is not to be in it
STARTED_WITHIN = 60.0
ALL_WITHIN, LAG = 0.3, 0.04  # seconds: the goals


def main(
    boards: Annotated[int, typer.Option(min=1, max=64)] = 64,
    seconds: Annotated[float, typer.Option(help="From the first board to the last.")] = 0.1,
) -> None:
    """Plug in all boards at once, and print when their attempts began."""
    with tempfile.TemporaryDirectory(prefix="burst-") as folder:
        result = measured(Path(folder) / "line", boards, seconds)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    if not result["in_order"] or not result["met"]:
        raise typer.Exit(1)


def measured(folder: Path, boards: int, seconds: float) -> dict[str, object]:
    order = [number * 37 % 65 for number in range(1, 65) if number * 37 % 65 <= boards]
    with UdevLine.with_host(folder, boards, time_scale=1.0) as line:
        line.prepare(*order)
        time.sleep(SETTLED_AFTER)
        before = line.status().loop_lag
        plugged = line.burst(order, seconds)
        began = _began(line, boards)
        time.sleep(1)  # the start of the programmers, too
        after = line.status().loop_lag
    waits = sorted(began[number] - plugged[number] for number in order)
    first = min(plugged.values())
    all_within = max(began.values()) - first
    return {
        "boards": boards,
        "plugged_in_seconds": round(max(plugged.values()) - first, 4),
        "all_began_seconds_after_the_first_was_plugged": round(all_within, 4),
        "all_began_seconds_after_the_last_was_plugged": round(max(began.values()) - max(plugged.values()), 4),
        "wait_of_a_board": {"p50": round(waits[len(waits) // 2], 4), "max": round(waits[-1], 4)},
        "in_order": [*began] == order,
        "loop_lag_before": before.model_dump(),
        "loop_lag_with_the_burst": after.model_dump(),
        "met": all_within <= ALL_WITHIN and after.max <= LAG,
    }


def _began(line: UdevLine, boards: int) -> dict[int, float]:
    """When each slot's attempt began, in the order of the ledger."""
    deadline = time.monotonic() + STARTED_WITHIN
    while True:
        with closing(sqlite3.connect(f"file:{line.folder / 'ledger.sqlite'}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT slot, started_at FROM attempt ORDER BY id").fetchall()
        if len(rows) == boards:
            return {int(slot): datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp() for slot, at in rows}
        if time.monotonic() > deadline:
            raise SystemExit(f"{len(rows)} of {boards} attempts began")
        time.sleep(0.5)


if __name__ == "__main__":
    typer.run(main)
