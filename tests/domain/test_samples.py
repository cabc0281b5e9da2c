# SPDX-License-Identifier: Apache-2.0
"""When golden and known-bad boards are due, and what is expected of them."""

from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest

from station.domain.samples import Circumstances, Expected, Rules, due_by_time

LINE = Circumstances("5e", frozenset({"a", "b"}), "2.19.0", {"1": "066A", "2": "066B"})
MET = datetime(2026, 11, 26, 5, 30).astimezone()


@pytest.mark.parametrize(
    ("expected", "verdict", "fault", "met"),
    [
        (Expected("pass"), "pass", None, True),
        (Expected("pass"), "fail", "board.silent", False),
        (Expected("fail", "board.silent"), "fail", "board.silent", True),
        (Expected("fail", "board.silent"), "fail", "flash.mismatch", False),  # another reason proves nothing
        (Expected("fail", "board.silent"), "pass", None, False),
        (Expected("pass"), "void", "board.removed", False),
    ],
)
def test_a_bad_board_must_fail_for_its_reason(
    expected: Expected, verdict: str, fault: str | None, *, met: bool
) -> None:
    assert expected.is_met(verdict, fault) is met


@pytest.mark.parametrize(
    "wrong", [Expected("void", "board.removed"), Expected("fail"), Expected("pass", "board.silent"), Expected("x")]
)
def test_nothing_else_can_be_expected(wrong: Expected) -> None:
    with pytest.raises(ValueError, match="expected to pass, or to fail"):
        wrong.check()


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (LINE, None),
        (replace(LINE, recipe="5f"), "the recipe has changed"),
        (replace(LINE, images=frozenset({"a"})), "an image has changed"),
        (replace(LINE, programmer="2.20.0"), "the programmer is 2.20.0 and was 2.19.0"),
        (replace(LINE, probes={"2": "066C"}), "slot 2 has another probe, 066C"),
        (replace(LINE, probes={"3": "066C"}), None),
    ],
)
def test_each_change_of_the_line_makes_samples_due(now: Circumstances, why: str | None) -> None:
    """A slot that was not in use then is no change."""
    assert LINE.change_to(now) == why


@pytest.mark.parametrize(
    ("rules", "after", "why"),
    [
        (Rules(), timedelta(days=99), None),
        (Rules(every=3600), timedelta(minutes=59), None),
        (Rules(every=3600), timedelta(minutes=60), "the last samples are too long ago"),
        (Rules(shifts=(time(6), time(14))), timedelta(minutes=29), None),
        (Rules(shifts=(time(6), time(14))), timedelta(minutes=30), "the shift of 06:00 has begun"),
        (Rules(shifts=(time(14),)), timedelta(hours=9), "the shift of 14:00 has begun"),
        (Rules(shifts=(time(22),)), timedelta(hours=20), "the shift of 22:00 has begun"),  # yesterday's
        (Rules(shifts=(time(22),)), timedelta(hours=16), None),
    ],
)
def test_samples_are_due_by_time_and_at_each_shift(rules: Rules, after: timedelta, why: str | None) -> None:
    assert due_by_time(rules, MET, MET + after) == why
