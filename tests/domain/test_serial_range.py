# SPDX-License-Identifier: Apache-2.0
"""Ranges of serial numbers meet exactly where their patterns make one serial number twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.domain.identity import Lot
from station.domain.serial_range import ranges

Side = tuple[str, int, int]


def meet(one: Side, other: Side) -> bool:
    return any(a.meets(b) for a in ranges(*one) for b in ranges(*other))


def numbers(side: Side) -> set[str]:
    pattern, first, size = side
    lot = Lot("L", pattern, first, size)
    return {lot.serial_number(index) for index in range(size)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("L-{:04d}", 1, 100), ("L-{:04d}", 100, 10)),
        (("L-{:04d}", 1, 100), ("L-0{:03d}", 50, 10)),  # other words for the same numbers
        (("L-{:04d}", 1, 100), ("L-{:03d}7", 1, 1)),  # L-0017
        (("L{}", 1, 100), ("L1{}", 0, 10)),
        (("A{}B07", 0, 10), ("A1B{:02d}", 0, 20)),
        (("{:04d}-24", 1, 9), ("{:04d}-24", 9, 9)),
    ],
)
def test_lots_that_share_a_serial_number_meet(one: Side, other: Side) -> None:
    """Whatever their notation."""
    assert numbers(one) & numbers(other)
    assert meet(one, other)
    assert meet(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("L-{:04d}", 1, 100), ("L-{:04d}", 101, 100)),
        (("L-{:04d}", 1, 100), ("L-{:05d}", 1, 100)),  # their lengths differ
        (("L-{:04d}", 1, 100), ("M-{:04d}", 1, 100)),
        (("{:04d}-24", 1, 100), ("{:04d}-25", 1, 100)),  # the year behind the number
        (("L{}", 1, 99), ("L{}", 100, 100)),
        (("L#{}", 1, 9), ("L{}", 11, 9)),
    ],
)
def test_lots_that_share_none_do_not_meet(one: Side, other: Side) -> None:
    """Nobody is refused a range that is free."""
    assert not numbers(one) & numbers(other)
    assert not meet(one, other)


@given(
    *[
        st.tuples(
            st.from_regex(r"[A01]{0,2}\{(:0[1-3]d)?\}[B01]{0,2}", fullmatch=True),
            st.integers(0, 120),
            st.integers(1, 60),
        )
        for _ in range(2)
    ]
)
def test_no_pair_of_patterns_shares_a_serial_number_unseen(one: Side, other: Side) -> None:
    """The comparison may refuse too much, and never too little."""
    try:
        found = [list(ranges(*one)), list(ranges(*other))]
    except ValueError:  # the number needs more digits
        return
    shared = numbers(one) & numbers(other)
    assert not shared or meet(one, other)
    for side, its in zip((one, other), found, strict=True):
        assert all(any(each.has(number) for each in its) for number in numbers(side))
        assert not any(each.has("A9Z") for each in its)
