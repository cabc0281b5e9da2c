# SPDX-License-Identifier: Apache-2.0
"""A story that fails is cut down to what makes it fail, within a bound on the runs."""

from collections.abc import Sequence

import pytest

from tests.campaign.referee.figures import growth
from tests.campaign.shrinking import shrunk, told


@pytest.mark.parametrize("needed", [{0}, {63}, {17, 18}, {3, 31, 60}, {0, 1, 2, 3}])
def test_what_is_needed_stays_and_all_else_goes(needed: set[int]) -> None:
    found = shrunk(range(64), lambda story: needed <= set(story), most_runs=400)
    assert found.story == tuple(sorted(needed))
    assert found.is_minimal


def test_a_story_that_fails_undisturbed_becomes_empty() -> None:
    found = shrunk("abc", lambda _story: True)
    assert (found.story, found.runs) == ((), 1)


def test_a_lone_disturbance_costs_one_run() -> None:
    found = shrunk(["kill"], bool)
    assert (found.story, found.runs, found.is_minimal) == (("kill",), 1, True)


def test_the_runs_are_bounded_and_what_is_left_has_failed() -> None:
    asked: list[Sequence[int]] = []

    def fails(story: Sequence[int]) -> bool:
        asked.append(story)
        return {1, 50, 90} <= set(story)

    found = shrunk(range(100), fails, most_runs=12)
    assert len(asked) == found.runs == 12
    assert {1, 50, 90} <= set(found.story)
    assert len(found.story) < 100
    assert not found.is_minimal


def test_no_story_is_run_twice() -> None:
    asked: list[tuple[int, ...]] = []

    def fails(story: Sequence[int]) -> bool:
        asked.append(tuple(story))
        return {5, 11} <= set(story)

    shrunk(range(16), fails, most_runs=400)
    assert len(asked) == len(set(asked))


def test_the_report_has_seed_story_and_command() -> None:
    assert told(7, ["kill daemon", "pull board 3"], 90, "make campaign SEED=7") == (
        "seed 7: 2 of 90 disturbances are enough to fail:\n  1. kill daemon\n  2. pull board 3\nagain: make campaign SEED=7"
    )


def test_noise_is_no_growth_and_a_slow_leak_is() -> None:
    """Boards come and go by dozens of descriptors; one that is lost with every tenth board shows all the same."""
    scatter = [(at * 7919) % 41 for at in range(400)]
    assert growth(range(400), scatter, 6.0) == 0.0
    assert growth(range(400), [value + at / 20 for at, value in enumerate(scatter)], 6.0) == pytest.approx(20, abs=4)
