# SPDX-License-Identifier: Apache-2.0
"""Made-up figures of a soak of two hours: flat, with the noise that a line has, and with the change that a test asks for."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from tests.soak.figures import Figures

SECONDS, EVERY = 7200, 10
WARM = 400.0  # seconds in which memory and WAL come to what they need
SLOTS, AT_WORK = 8, 0.8

Change = Callable[[float], float]
"""What is added to a figure at a moment, in seconds."""


def figures(changes: Mapping[str, Change] | None = None, seed: int = 1, seconds: int = SECONDS) -> list[Figures]:
    chance = random.Random(seed)
    rows = [_flat(float(at), chance) for at in range(0, seconds, EVERY)]
    for name, change in (changes or {}).items():
        rows = [_changed(row, name, change) for row in rows]
    return rows


def _changed(row: Figures, name: str, change: Change) -> Figures:
    value = getattr(row, name)
    return row if value is None else replace(row, **{name: value + change(row.seconds)})


def _flat(at: float, chance: random.Random) -> Figures:
    warm = min(1.0, at / WARM)
    at_work = sum(chance.random() < AT_WORK for _ in range(SLOTS))
    return Figures(
        seconds=at,
        memory=75e6 + 5e6 * warm + chance.gauss(0, 4e5),
        resident=106e6 + 5e6 * warm + chance.gauss(0, 4e5),
        descriptors=37.0 + 4 * at_work + chance.randint(0, 2),
        threads=14.0 + chance.randint(0, 3),
        cpu_seconds=2 + at / 25,
        ledger=4e5 + 900 * at,
        wal=4.12e6 * warm,
        log=300 * at,
        transcripts=1500 * at,
        outbox=float(chance.randint(0, 1)),
        lag_p50=0.0008,
        lag_p99=0.018 + chance.expovariate(200),
        lag_max=0.08 + chance.expovariate(100),
        cycle=17.6 + chance.gauss(0, 0.3) if chance.random() < 0.6 else None,
        passed=float(at // 3),
        not_passed=0,
        interventions=0,
        bench_memory=60e6 + chance.gauss(0, 5e6),
        pki_memory=38e6,
        load=chance.uniform(0, 2),
    )
