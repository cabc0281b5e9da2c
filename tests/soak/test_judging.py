# SPDX-License-Identifier: Apache-2.0
"""What the judge of a soak finds in made-up figures, and what it lets pass."""

from collections.abc import Mapping
from math import exp

import pytest

from tests.soak.judging import judged
from tests.soak.made_up import SECONDS, Change, figures

HOUR = 3600


def bad(changes: Mapping[str, Change] | None = None, seed: int = 1) -> set[str]:
    """The figures that the judge does not like."""
    return {found.figure for found in judged(figures(changes, seed)) if not found.good}


@pytest.mark.parametrize("seed", range(1, 11))
def test_noise_is_no_growth(seed: int) -> None:
    assert bad(seed=seed) == set()


@pytest.mark.parametrize(
    ("figure", "change"),
    [
        ("memory", lambda at: 1e6 * at / HOUR),
        ("memory", lambda at: 4e6 * (at // 1800)),  # in steps, as caches grow that nobody bounds
        ("descriptors", lambda at: 3 * at // HOUR),
        ("descriptors", lambda at: at // 3 // 400),  # one for four hundred boards
        ("descriptors", lambda at: 4 if at > 0.75 * SECONDS else 0),
        ("memory", lambda at: 6e6 if at > 0.75 * SECONDS else 0),
        ("threads", lambda at: 2 * at // HOUR),
        ("wal", lambda at: 4e6 * at / HOUR),
        ("wal", lambda at: 13e6 if at == SECONDS // 2 else 0),  # once, and beyond the bound
        ("lag_p99", lambda at: 0.005 * at / HOUR),
        ("lag_p99", lambda at: 0.02 if at > 0.75 * SECONDS else 0),
        ("cycle", lambda at: 2.0 if at > 0.75 * SECONDS else 0),
        ("passed", lambda at: -max(0, at - 5000) // 3),  # the line stands still at last
        ("not_passed", lambda at: float(at > HOUR)),
        ("interventions", lambda at: float(at > HOUR)),
    ],
)
def test_growth_is_found_and_named(figure: str, change: Change) -> None:
    """With two kinds of noise."""
    assert [bad({figure: change}, seed) for seed in (1, 2)] == [{figure}] * 2


@pytest.mark.parametrize(
    ("figure", "change"),
    [
        ("memory", lambda at: 50e6 if 3000 < at < 3600 else 0),  # an export that somebody makes
        ("memory", lambda at: 30e6 * min(1.0, at / 1000)),  # a slow warm-up
        ("memory", lambda at: 1e6 if at > HOUR else 0),  # one arena of Python's
        ("memory", lambda at: 40e6 * (1 - exp(-at / 900))),  # the high-water mark of an allocator
        ("descriptors", lambda at: 20 if 3000 < at < 3600 else 0),
        ("wal", lambda at: 6e6 if 3000 < at < 3600 else 0),
        ("lag_p99", lambda at: 0.2 if 3000 < at < 3900 else 0),  # another program
        ("lag_p99", lambda at: -0.015 * at / SECONDS),
        ("ledger", lambda at: 1e4 * at),  # grows by what it records
    ],
)
def test_what_passes_again_is_no_growth(figure: str, change: Change) -> None:
    assert [bad({figure: change}, seed) for seed in (1, 2)] == [set()] * 2


@pytest.mark.parametrize("seconds", [0, 10, 600])
def test_a_short_run_is_not_judged_and_not_good(seconds: int) -> None:
    (found,) = judged(figures(seconds=seconds))
    assert not found.good
    assert found.says.startswith("NOT JUDGED")


def test_a_run_with_a_long_gap_is_not_judged() -> None:
    """Nothing is known of a machine that slept for a quarter of the run."""
    (found,) = judged([row for row in figures() if not 3000 < row.seconds < 4800])
    assert not found.good
    assert found.says.startswith("NOT JUDGED")
