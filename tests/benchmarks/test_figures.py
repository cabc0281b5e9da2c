# SPDX-License-Identifier: Apache-2.0
"""Figures: median, interval, and the comparison of the median with its goal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import Goal, Row, Sample, Verdict


def test_the_median_is_not_moved_by_one_bad_run() -> None:
    """One bad run would change a mean, but not the median."""
    assert Sample((17.8, 17.9, 40.0, 17.8, 17.9)).median == 17.9


def test_the_interval_of_one_value_is_that_value() -> None:
    """There is nothing to resample."""
    assert Sample((17.8,)).interval == (17.8, 17.8)


def test_a_sample_has_a_value() -> None:
    """A sample without values is refused."""
    with pytest.raises(ValueError, match="at least one"):
        Sample(())


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=9))
def test_the_interval_holds_the_median_and_lies_within_the_values(values: list[float]) -> None:
    """The interval is made of medians of resampled values."""
    sample = Sample(tuple(values))
    low, high = sample.interval
    assert min(values) <= low <= sample.median <= high <= max(values)


def test_one_file_has_one_report() -> None:
    """The resampling is seeded, so that a file gives the same report each time."""
    values = (1.0, 2.0, 4.0, 8.0, 16.0)
    assert Sample(values).interval == Sample(values).interval


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [
        (Goal(40), 40, True),
        (Goal(40), 40.1, False),
        (Goal(300, at_least=True), 300, True),
        (Goal(300, at_least=True), 299, False),
    ],
)
def test_a_goal_is_met_at_its_limit(goal: Goal, value: float, *, met: bool) -> None:
    """A cost may be at most its goal, and a throughput must be at least its goal."""
    assert goal.met_by(value) is met


def test_a_figure_without_a_goal_has_no_verdict() -> None:
    """The report shows a figure without a goal and does not judge it."""
    assert Row("one", "memory", "MB", Sample((70,))).verdict is Verdict.NONE


def test_the_verdict_is_the_medians() -> None:
    """A goal can be met although one run missed it."""
    assert Row("one", "wall", "s", Sample((18.0, 18.1, 19.0)), goal=Goal(18.5)).verdict is Verdict.MET
    assert Row("one", "wall", "s", Sample((18.0, 18.6, 19.0)), goal=Goal(18.5)).verdict is Verdict.MISSED
