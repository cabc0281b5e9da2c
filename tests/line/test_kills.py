# SPDX-License-Identifier: Apache-2.0
"""`kill -9` of a line's daemon between verdict, print, scan and delivery, at some moments. `make kills` tries them all."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from station.config.mes import MQTT, WEBHOOK
from station.domain.labelling import LabelEvent
from tests.builders.line import ROOT
from tests.line.kill_moments import IN_THE_TEST_RUN, MOMENTS, NOT_TRIED
from tests.line.kills import MOST_BOARDS, Kills

pytestmark = pytest.mark.executed

BY_NAME = {moment.name: moment for moment in MOMENTS}
HEALTHY = {moment.name for moment in MOMENTS if not moment.trouble}


@pytest.fixture(scope="module")
def kills(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kills]:
    with Kills.standing(tmp_path_factory.mktemp("kills")) as standing:
        yield standing


@pytest.mark.line
@pytest.mark.timeout(900)
def test_every_moment_of_a_board_that_passes_is_in_the_table(kills: Kills) -> None:
    """The moments are written down by the daemon that passes them: a new one is missing here."""
    for _ in range(MOST_BOARDS):
        kills.undisturbed()
        if kills.passed >= HEALTHY:
            break
    assert kills.passed >= HEALTHY
    assert kills.passed - BY_NAME.keys() == set()


@pytest.mark.line
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", IN_THE_TEST_RUN)
def test_a_kill_prints_no_label_twice_silently_and_loses_and_doubles_no_verdict(kills: Kills, name: str) -> None:
    kills.killed_at(BY_NAME[name])
    assert kills.passed - BY_NAME.keys() == set()


def test_the_table_has_every_event_of_a_label_and_every_end_of_a_message_at_every_receiver() -> None:
    """So nobody can add an event or a receiver without a look at what a kill does there."""
    deeds = [
        *LabelEvent,
        *(f"{end} {sink}" for end, sink in product(("delivered to", "postponed at", "given up at"), (WEBHOOK, MQTT))),
    ]
    wanted = {f"{when} {deed}" for when, deed in product(("before", "after"), deeds)}
    assert wanted - BY_NAME.keys() == NOT_TRIED.keys()
    assert len(BY_NAME) == len(MOMENTS)
    assert set(IN_THE_TEST_RUN) <= BY_NAME.keys()


def test_the_tests_that_the_table_names_are_there() -> None:
    for moment in MOMENTS:
        if moment.tried_by:
            file, _, test = moment.tried_by.partition("::")
            assert f"def {test}(" in Path(ROOT, file).read_text(encoding="utf-8"), moment
            assert moment.name not in IN_THE_TEST_RUN
