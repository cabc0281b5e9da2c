# SPDX-License-Identifier: Apache-2.0
"""A lot's balance adds up, or says where it does not; and its end is told before it comes."""

from dataclasses import replace

import pytest

from station.domain.lot_balance import LotBalance
from station.domain.work_order import Left

GOOD = LotBalance(
    lot="W1",
    planned=10,
    size=12,
    identities=8,
    reserved=1,
    on_board=1,
    certified=1,
    confirmed=1,
    passed=3,
    burned=1,
    released=0,
    failed=2,
    scrapped=1,
    quarantined=0,
    samples=0,
    bound=1,
    unbound=0,
    labels_printed=6,
    labels_copies=2,
    labels_void=2,
    labels_waiting=1,
    labels_of_burned=1,
    labels_of_samples=1,
    skipped=1,
    next_index=9,
    passed_in_journal=3,
    counted=7,
    dacs_bought=9,
    dacs_bound=5,
    dacs_waiting=1,
    dacs_to_revoke=1,
    dacs_of_samples=0,
    dacs_replaced=1,
    dacs_orphaned=1,
    answers_missing=1,
)


def test_a_good_balance_has_no_mistake() -> None:
    assert list(GOOD.mistakes()) == []
    assert (GOOD.in_work, GOOD.to_do, GOOD.numbers_left) == (4, 7, 3)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"identities": 9, "next_index": 10}, "9 identities were given out, and 8 are accounted for"),
        ({"skipped": 0}, "8 identities and 0 skipped serial numbers are not 9 numbers"),
        ({"passed_in_journal": 2}, "3 units are passed, and the journal has seen 2 pass"),
        ({"dacs_bound": 4, "dacs_waiting": 2}, "5 units are certified, and 4 of them have a live certificate"),
        ({"dacs_bought": 10}, "10 certificates were bought, and 9 are accounted for"),
        ({"scrapped": 2}, "2 units are scrapped, and 1 identities burned"),
        ({"counted": 8}, "the lot counts 8 units passed or in work, and there are 7"),
        ({"unbound": 1}, "3 units are passed, and the labels of 1 are bound and of 1 not"),
        ({"labels_printed": 7}, "7 labels were printed, and 6 are accounted for"),
        ({"labels_copies": 1}, "1 labels are further copies, and they void 2"),
        ({"planned": 6}, "7 units are passed or in work, and 6 were planned"),
    ],
)
def test_each_contradiction_is_told(changed: dict[str, int], told: str) -> None:
    """And only that one."""
    assert list(replace(GOOD, **changed).mistakes()) == [told]  # type: ignore[arg-type]  # by name


def test_a_unit_whose_required_label_is_not_bound_is_still_to_be_done() -> None:
    waiting = replace(GOOD, unbound=2)
    assert (waiting.to_do, list(waiting.mistakes())) == (9, [])


def test_a_recipes_lot_has_neither_plan_nor_end() -> None:
    of_recipe = replace(GOOD, planned=None, size=None, counted=None)
    assert list(of_recipe.mistakes()) == []
    assert (of_recipe.to_do, of_recipe.numbers_left) == (None, None)


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (Left("W1", 100, 6, 50), None),
        (Left("W1", 100, 5, 50), "The work order ends: 5 of 100 units have yet to begin."),
        (Left("W1", 100, 50, 4), "The lot's serial numbers end: 4 are left for 50 units."),
        (Left("W1", 3, 2, 3), None),
        (Left("W1", 3, 1, 2), "The work order ends: 1 of 3 units have yet to begin."),
        (Left("W1", 3, 0, 1), "The work order ends: 0 of 3 units have yet to begin."),
    ],
)
def test_the_end_is_told_before_it_comes(left: Left, told: str | None) -> None:
    """In the last twentieth, of units or of serial numbers; the log has it once, where it begins."""
    assert left.warning == told
    assert left.begins_to_end == (min(left.units, left.numbers) == max(1, left.planned // 20))
