# SPDX-License-Identifier: Apache-2.0
"""A campaign breaks no promise, and its stories are their seed's."""

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from tests.builders.line import recipe_with
from tests.campaign import run
from tests.campaign.seats import Handled
from tests.campaign.story import (
    DISASTERS,
    HANDS,
    OF_RAM,
    OF_THE_CENTRE,
    OF_TWO_BOARDS,
    OVER,
    SWITCHES,
    Disturbance,
    story,
    table,
)
from tests.campaign.world import change_plan
from virtual_bench.faults.catalogue import CATALOGUE

pytestmark = pytest.mark.executed


@pytest.mark.line
@pytest.mark.timeout(900)
def test_a_short_campaign_breaks_no_promise() -> None:
    """Faults of the bench and switches of the PKI, with four boards at once, and a kill of the daemon."""
    assert run.main(["--boards", "10", "--slots", "4", "--seed", "1", "--calm"]) == 0


def test_a_story_is_its_seeds() -> None:
    assert story(7, 100) == story(7, 100)
    assert story(7, 100) != story(8, 100)
    assert [each.what for each in story(7, 100, calm=True) if each.kind == "disaster"] == ["daemon killed"]


def test_only_a_mixed_story_has_the_faults_of_ram() -> None:
    assert {each.what for each in story(1, 2000, mixed=True)} >= OF_RAM
    assert not OF_RAM & {each.what for each in story(1, 2000)}


def test_each_start_of_a_mixed_campaign_changes_the_plan(tmp_path: Path) -> None:
    recipe = recipe_with(tmp_path, "")
    before = recipe.read_text()
    change_plan(recipe)
    found = tomllib.loads(recipe.read_text())
    assert (found["plan"], found["images"]["provisioning"]) == ("ram", "provisioning-flash-ram")
    change_plan(recipe)
    assert recipe.read_text() == before


@pytest.mark.parametrize("stations", [1, 2])
def test_every_knob_comes_in_a_long_story_and_a_third_of_the_boards_is_disturbed(stations: int) -> None:
    told = story(1, 2000, stations=stations)
    times = Counter(each.what for each in told)
    faults = {name for name in CATALOGUE if name not in OF_TWO_BOARDS} & times.keys()
    assert len(faults) > 20
    several = stations > 1
    knobs = {*faults, *SWITCHES, *HANDS, *DISASTERS, *(OVER * several), *(OF_THE_CENTRE * several)}
    assert times.keys() == knobs
    assert {name: times[name] for name in knobs if times[name] < 20} == {}
    assert sum(number for name, number in times.items() if name.endswith("killed")) >= 10
    assert len({each.board for each in told}) >= 600


def test_every_hand_is_one_that_people_have() -> None:
    assert {*HANDS, *OVER} == {*Handled}


def test_the_table_has_what_was_planned_and_what_fired() -> None:
    planned = [Disturbance(1, "fault", "mute", "deliver"), Disturbance(2, "switch", "busy")]
    assert list(table(planned, Counter({"mute": 1}))) == [
        f"{'busy':26}    1 planned    0 fired",
        f"{'mute':26}    1 planned    1 fired",
    ]
    assert str(planned[0]) == "board 1: mute at deliver"
