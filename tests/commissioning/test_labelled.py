# SPDX-License-Identifier: Apache-2.0
"""Eight boards leave a line with their labels on, and both commissioners take them by the printed codes. `make labelled` does it with 64."""

import pytest

from tests.commissioning.labelled import COMMISSIONERS, Labelled, expected, made, mistakes

pytestmark = [pytest.mark.commissioning, pytest.mark.timeout(900)]

BOARDS, COMMISSIONED = 8, 2


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    return made(tmp_path_factory.mktemp("labelled"), BOARDS, COMMISSIONED)


def test_everything_is_as_it_must_be(labelled: Labelled) -> None:
    """All labels are printed once, read, and bound by their scan; the work order is done with the last of them."""
    assert mistakes(labelled, BOARDS) == []


def test_a_swapped_pair_is_refused_at_its_first_scan(labelled: Labelled) -> None:
    """Before anything is bound, and the refusal names the board's unit and the label's."""
    assert len(labelled.swapped) == 2
    for refused in labelled.swapped:
        assert refused.bound == 0
        assert (
            f"the board in slot {refused.slot} is unit {refused.board}, and the label is of unit {refused.label}"
            in (refused.told)
        )


@pytest.mark.parametrize("commissioner", COMMISSIONERS)
def test_a_commissioner_reads_every_printed_code_and_takes_units_by_it(labelled: Labelled, commissioner: str) -> None:
    """It reads the numbers that are in the flash of the board where the station says that the label belongs."""
    assert labelled.read[commissioner] == [expected(flash) for flash in labelled.flash.values()]
    answers = [answer for (name, _), answer in labelled.answers.items() if name == commissioner]
    assert [answer["commissioned"] for answer in answers] == [True] * COMMISSIONED, answers


def test_a_mistake_would_be_told(labelled: Labelled) -> None:
    """Of two labels that were taken for each other's, and of one that was never bound."""
    first, second = list(labelled.printed)[:2]
    printed = {**labelled.printed, first: labelled.printed[second], second: labelled.printed[first]}
    spoiled = Labelled(**{**vars(labelled), "printed": printed, "bound": set(sorted(labelled.bound)[1:])})
    assert mistakes(spoiled, BOARDS) == ["each code is that of its board's flash", "all are bound"]
