# SPDX-License-Identifier: Apache-2.0
"""The fault policy: when a repeated cause counts against the slot or the line instead of the boards."""

import pytest

from station.domain.policy import (
    CONSEQUENCES,
    Judged,
    Suspicion,
    counts_against_equipment,
    line_suspected,
    slot_suspected,
)
from station.faults.line import PKIUnavailable
from station.faults.slot import BoardRemoved
from station.faults.unit import FlashMismatch

POLICY = Suspicion(boards_in_a_slot=2, slots=3, within_boards=10)


def verdicts(*rows: str) -> list[Judged]:
    """`slot board cause`; without the cause it is a pass."""
    return [Judged(slot, board, cause[0] if cause else None) for slot, board, *cause in map(str.split, rows)]


@pytest.mark.parametrize(
    ("rows", "suspected"),
    [
        (["1 A x"], False),
        (["1 A x", "1 B x"], True),
        (["1 A x", "1 A x"], False),
        (["1 A x", "1 B y"], False),
        (["1 A x", "1 B", "1 C x"], False),
        (["1 A x", "2 B x"], False),
        (["1 A x", "2 Z", "1 B x"], True),
        (["1 A", "1 B"], False),
    ],
    ids=[
        "one",
        "two boards",
        "one board twice",
        "two causes",
        "a pass between",
        "two slots",
        "another slot between",
        "passes",
    ],
)
def test_two_boards_running_with_one_cause_mean_the_slot(rows: list[str], *, suspected: bool) -> None:
    """Two different boards fail for the same cause, one after the other, in one slot."""
    assert slot_suspected(verdicts(*rows), "1", POLICY) is suspected


@pytest.mark.parametrize(
    ("rows", "cause"),
    [
        (["1 A x", "2 B x"], None),
        (["1 A x", "2 B x", "3 C x"], "x"),
        (["1 A x", "2 B x", "2 C x"], None),
        (["1 A x", "2 B x", *["4 P"] * 7, "3 C x"], "x"),
        (["1 A x", *["4 P"] * 8, "2 B x", "3 C x"], None),
        (["1 A x", "2 B x", "3 C x", "4 D"], None),
    ],
    ids=[
        "two slots",
        "three slots",
        "two slots thrice",
        "within ten boards",
        "over ten boards",
        "the newest is a pass",
    ],
)
def test_one_cause_on_three_slots_within_ten_boards_means_the_line(rows: list[str], cause: str | None) -> None:
    """The slots share the cause: hub, supply, lot of boards, or images."""
    assert line_suspected(verdicts(*rows), POLICY) == cause


def test_zero_means_never() -> None:
    """A demonstration that injects faults on purpose sets the limits to zero."""
    never = Suspicion(boards_in_a_slot=0, slots=0)
    rows = verdicts("1 A x", "1 B x", "2 C x", "3 D x")
    assert not slot_suspected(rows, "1", never)
    assert line_suspected(rows, never) is None


def test_what_the_operator_mends_says_nothing_of_the_equipment() -> None:
    """Such a fault does not count against the slot; nor does a fault of the line."""
    assert counts_against_equipment(FlashMismatch(0x08000000))
    assert not counts_against_equipment(BoardRemoved())
    assert not counts_against_equipment(PKIUnavailable("https://pki", "down"))


def test_nothing_irreversible_is_retried() -> None:
    """Connections are retried at most twice, starting the coprocessor and restoring the boot option bytes once."""
    assert {fault.code for fault, row in CONSEQUENCES.items() if row.retry.times} == {
        "target.not_found",
        "target.refused",
        "probe.busy",
        "probe.wedged",
        "coprocessor.fus_not_ready",
        "coprocessor.stack_not_started",
        "coprocessor.boot_not_restored",
    }
    assert max(row.retry.times for row in CONSEQUENCES.values()) == 2
