# SPDX-License-Identifier: Apache-2.0
"""The report's rows of a line with one hung programmer and one mute board: what the others' cycle takes longer. Pure."""

from collections.abc import Callable, Sequence
from statistics import median

from benchmarks.figures import Goal, Row, Sample
from benchmarks.troubled import Troubled

PART = "troubled"
NO_LONGER = 1.01
"""Beside the two over without them."""


def troubled_rows(found: Troubled) -> list[Row]:
    """The ratio is taken within each round, of two runs that met the same machine."""
    kinds: dict[str, Callable[[Sequence[float]], float]] = {"median": median, "slowest": max}
    rows = []
    for name, of in kinds.items():
        ratios = [of(beside) / of(without) for without, beside in zip(found.without, found.beside, strict=True)]
        rows.append(
            Row(PART, f"cycle of the others, {name}, over without", "", Sample(tuple(ratios)), 1, Goal(NO_LONGER))
        )
        rows.append(Row(PART, "  without trouble", "s", Sample(tuple(map(of, found.without)))))
        rows.append(Row(PART, "  beside a hung programmer and a mute board", "s", Sample(tuple(map(of, found.beside)))))
    return rows
