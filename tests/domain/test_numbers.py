# SPDX-License-Identifier: Apache-2.0
"""Figures of attempts, against values computed by hand or by exact arithmetic."""

import struct
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import count
from math import comb

import pytest

from station.domain.attempt import VERDICTS, Phase
from station.domain.numbers import BREAK, Attempted, Bar, Numbers, Rate, improbable, natural, numbers, seconds_of, tail
from station.domain.step_seconds import ORDER, packed, unpacked

SIX = datetime(2026, 11, 23, 6, tzinfo=UTC)


def attempted(
    verdict: str | None = "pass",
    fault: str | None = None,
    *,
    slot: str = "1",
    probe: str | None = None,
    board: str | None = "a",
    at: float = 0,
    seconds: float = 20,
    step: str | None = None,
    steps: dict[str, float] | None = None,
    first: bool = False,
) -> Attempted:
    began = (SIX + timedelta(seconds=at) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    return Attempted(began, seconds, slot, probe or f"P{slot}", board, verdict, fault, step, first, packed(steps or {}))


def a_shift() -> Numbers:
    """Slot 4 fails 8 of 20 boards, slot 10 one of 20, slot 2 none of 20 but two boards are pulled there."""
    at, board = (20 * number for number in count()), (f"{number:024x}" for number in count())
    fails = {"4": 8, "10": 1, "2": 0}
    made = [
        attempted(
            "fail" if number < fails[slot] else "pass",
            "board.silent" if number < fails[slot] else None,
            slot=slot,
            board=next(board),
            at=next(at),
            step="await_csr" if number < fails[slot] else None,
            first=True,
        )
        for slot in fails
        for number in range(20)
    ]
    voids = [
        attempted("void", "board.removed", slot="2", board=next(board), at=next(at), step="recognise") for _ in range(2)
    ]
    return numbers([*made, *voids])


# Wilson's intervals, from Newcombe (1998) and from the formula's closed form at both ends, n / (n + z²).
@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (20, 20, 0.8389, 1.0), (0, 0, 0, 1)],
)
def test_the_interval_is_wilsons(hits: int, of: int, low: float, high: float) -> None:
    """The published examples come out to their four places, and no share leaves 0 to 1."""
    assert Rate(hits, of).interval == pytest.approx((low, high), abs=5e-5)


def test_a_share_of_nothing_is_none() -> None:
    """No attempts are no yield of zero."""
    found = numbers([])
    assert (found.first_pass, found.first_pass.share, found.whole, found.units_an_hour) == (
        Rate(0, 0),
        None,
        None,
        None,
    )
    assert (found.by_fault, found.hours, found.steps, found.attempts) == ((), (), {}, 0)


def test_only_first_judged_attempts_are_in_the_yield() -> None:
    """A later pass of a failed board does not raise it; voids and running attempts are apart."""
    found = numbers(
        [
            attempted("fail", "flash.mismatch", board="a", first=True),
            attempted("pass", board="b", first=True),
            attempted("pass", board="a"),
            attempted("void", "board.removed", board="c"),
            attempted(None, board="d"),
        ]
    )
    assert found.first_pass == Rate(1, 2)
    assert (found.passed, found.failed, found.void, found.running, found.attempts) == (2, 1, 1, 1, 5)
    assert found.not_judged == Rate(1, 4)
    assert found.units == 2


def test_the_pareto_has_the_most_frequent_fails_first() -> None:
    """Shares are of all fails, and a place's rate is of the attempts judged there."""
    found = a_shift()
    assert found.by_slot == (
        Bar("4", Rate(8, 20), 0, 8 / 9, 8 / 9, not_chance=True),
        Bar("10", Rate(1, 20), 0, 1 / 9, 1.0, not_chance=False),
        Bar("2", Rate(0, 20), 2, 0.0, 1.0, not_chance=False),
    )
    assert [(bar.name, bar.fails, bar.void) for bar in found.by_probe] == [
        ("P4", Rate(8, 20), 0),
        ("P10", Rate(1, 20), 0),
        ("P2", Rate(0, 20), 2),
    ]
    assert [(bar.name, bar.fails, bar.void) for bar in found.by_fault] == [
        ("board.silent", Rate(9, 60), 0),
        ("board.removed", Rate(0, 60), 2),
    ]
    assert [(bar.name, bar.fails.hits, bar.not_chance) for bar in found.by_step] == [
        ("await_csr", 9, False),
        ("recognise", 0, False),
    ]


def test_places_with_equal_counts_are_sorted_as_people_count() -> None:
    """Slot 4 stands before slot 10."""
    found = numbers(attempted("fail", "board.silent", slot=slot) for slot in ("10", "4", "A2", "A10", "A"))
    assert [bar.name for bar in found.by_slot] == ["4", "10", "A", "A2", "A10"]
    assert natural("") < natural("07") == natural("7") < natural("7b") < natural("10") < natural("b")


@pytest.mark.parametrize(
    ("hits", "of", "chance"), [(3, 10, 0.05), (8, 20, 1 / 40), (60, 1000, 0.03), (5, 5, 0.5), (900, 100_000, 0.008)]
)
def test_the_tail_is_the_exact_sum(hits: int, of: int, chance: float) -> None:
    """So many hits or more: the sum of the binomial terms, in fractions, also where a float cannot hold them."""
    p = Fraction(chance).limit_denominator(10_000)
    if of > 1000:  # the exact sum of so many terms takes minutes: its first terms are enough
        terms = [_term(hits, of, p)]
        for k in range(hits, hits + 400):
            terms.append(terms[-1] * (of - k) / (k + 1) * float(p / (1 - p)))
        assert tail(hits, of, float(p)) == pytest.approx(sum(terms), rel=1e-6)
        return
    exact = sum(comb(of, k) * p**k * (1 - p) ** (of - k) for k in range(hits, of + 1))
    assert tail(hits, of, float(p)) == pytest.approx(float(exact), rel=1e-9)


def _term(hits: int, of: int, p: Fraction) -> float:
    """One binomial term by integers: its numerator and denominator have some hundred thousand digits."""
    numerator = comb(of, hits) * p.numerator**hits * (p.denominator - p.numerator) ** (of - hits)
    return float(Fraction(numerator, p.denominator**of))


def test_a_place_is_marked_only_beyond_chance() -> None:
    """The limit is 0.001, from three fails on, against the share of fails elsewhere."""
    assert improbable(Rate(5, 20), Rate(1, 60))  # 1.6e-5
    assert not improbable(Rate(3, 20), Rate(1, 60))  # 4.1e-3
    assert not improbable(Rate(2, 2), Rate(1, 1000))  # two fails may be one bad pair of boards
    assert not improbable(Rate(9, 9), Rate(0, 0))  # one slot has no others to compare with
    assert not improbable(Rate(20, 20), Rate(20, 20))


def test_no_fail_elsewhere_is_no_proof_of_no_chance() -> None:
    """With few boards elsewhere a few fails here may be chance; with many they are not."""
    assert not improbable(Rate(3, 10), Rate(0, 5))
    assert improbable(Rate(3, 10), Rate(0, 100))  # at most 1 in 100: 1.1e-4


def test_seconds_are_median_late_limit_and_capability() -> None:
    """Thirty values from 1.1 to 4.0 in order: neighbours are 0.1 apart, and the variance of 1 to n is n (n + 1) / 12."""
    found = seconds_of([1 + number / 10 for number in range(1, 31)], limit=3.45)
    assert (found.count, found.over, found.limit) == (30, 6, 3.45)
    assert (found.median, found.late) == pytest.approx((2.55, 3.9))  # the 29th of 30: 96.7 % are not above it
    assert found.cpk == pytest.approx((3.45 - 2.55) / (3 * 0.1 / 1.128))
    assert found.ppk == pytest.approx((3.45 - 2.55) / (3 * 0.1 * (30 * 31 / 12) ** 0.5))
    assert sum(found.histogram) == 30
    assert found.bin_width == pytest.approx(4.0 * 1.05 / 36)
    assert found.histogram[: int(1.1 / found.bin_width)] == (0,) * int(1.1 / found.bin_width)


def test_late_is_the_value_that_95_percent_reach() -> None:
    """Of twenty values it is the nineteenth, of one value that value."""
    assert seconds_of([float(number) for number in range(1, 21)]).late == 19
    assert seconds_of([7.0]).late == 7


def test_few_or_equal_values_have_no_capability() -> None:
    """29 values are too few; without a limit or a spread there is nothing to divide."""
    values = [1 + number / 10 for number in range(30)]
    for some, limit in ((values[:29], 9.0), (values, None), ([0.1] * 30, 9.0)):
        found = seconds_of(some, limit)
        assert (found.cpk, found.ppk) == (None, None)
    assert seconds_of([0.0]).histogram[0] == 1


def test_only_passed_attempts_are_in_the_seconds() -> None:
    """A failed attempt's steps were cut short."""
    found = numbers(
        [
            attempted(seconds=10, steps={"recognise": 1.0, "confirm": 2.0}),
            attempted(seconds=30, steps={"recognise": 3.0}),
            attempted("fail", "board.silent", seconds=99, steps={"recognise": 98.0}),
        ],
        {"recognise": 2.0},
    )
    assert {name: (each.count, each.median, each.over) for name, each in found.steps.items()} == {
        "recognise": (2, 2.0, 1),
        "confirm": (1, 2.0, 0),
    }
    assert found.whole is not None
    assert (found.whole.count, found.whole.median) == (2, 20)


def test_hours_are_those_in_which_attempts_began() -> None:
    """A unit counts once, in the hour of its first pass."""
    found = numbers(
        [
            attempted(board="a", at=3599, seconds=30),
            attempted("fail", "board.silent", board="b", at=3600),
            attempted(board="a", at=3700),
            attempted(board="c", at=3800),
            attempted("void", "board.removed", board="d", at=4 * 3600),
            attempted(None, board="e", at=5 * 3600),
        ]
    )
    assert [(each.begin, each.passed, each.failed, each.void, each.units) for each in found.hours] == [
        (SIX, 1, 0, 0, 1),
        (SIX + timedelta(hours=1), 2, 1, 0, 1),
        (SIX + timedelta(hours=4), 0, 0, 1, 0),
    ]


def test_units_an_hour_are_without_breaks() -> None:
    """Attempts side by side work once; a pause counts unless it is as long as a break."""
    found = numbers(
        [
            attempted(board="a", at=0, seconds=40),
            attempted(board="b", at=10, seconds=20, slot="2"),  # beside it
            attempted(board="c", at=100, seconds=50),  # after a minute's pause
            attempted(board="d", at=150 + BREAK, seconds=30),  # after a break
        ]
    )
    assert (found.worked, found.units) == (180, 4)
    assert found.units_an_hour == pytest.approx(4 * 3600 / 180)


def test_the_seconds_of_steps_are_these_bytes() -> None:
    """The ledger keeps them. An attempt of before the newest step has fewer, and a newer step is none of its."""
    first = packed({"recognise": 1.0, "lock": 0.25})
    assert first == struct.pack("<10d", 1, *[-1] * 8, 0.25)
    second = packed({"recognise": 2.0, "confirm": 3.0})[:-8]
    found = unpacked([first, second])
    assert {name: list(values) for name, values in found.items()} == {
        "recognise": [1.0, 2.0],
        "confirm": [3.0],
        "lock": [0.25],
    }
    assert unpacked([]) == {}
    assert {phase for phase in Phase if phase not in VERDICTS} - {Phase.STARTED} == set(ORDER)
