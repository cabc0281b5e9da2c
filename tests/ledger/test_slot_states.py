# SPDX-License-Identifier: Apache-2.0
"""The operator's word for each state of a slot."""

import pytest

from station.adapters.ledger import Ledger
from station.domain.attempt import Attempt, Phase
from station.faults.line import LedgerUnavailable
from station.faults.slot import ProbeDuplicate, SlotHeld
from station.faults.unit import BoardSilent
from station.interfaces import AttemptJournal, BoardArrived
from station.line.states import (
    Abandoned,
    Empty,
    InService,
    Judged,
    OnTrial,
    Outcome,
    OutOfService,
    Recording,
    Refused,
    Running,
    Service,
    State,
    Waiting,
    shown,
    with_board,
)
from station.line.visits import Visit
from tests.builders.bench import Secrets, begun

ARRIVAL = BoardArrived("usb-1", "066CFF", "/dev/ttyACM0")
REFUSED = BoardArrived("usb-1", "066CFF", "/dev/ttyACM0", ProbeDuplicate("066CFF"))
SILENT = Outcome(1, ARRIVAL, Attempt(phase=Phase.FAILED), BoardSilent("HELLO", 2.0), 3.0)
PASSED = Outcome(1, ARRIVAL, Attempt(phase=Phase.PASSED), None, 3.0)
NO_LEDGER = LedgerUnavailable("the disk is full")
WAITED_FOR = Outcome(1, ARRIVAL, Attempt(phase=Phase.VOID), NO_LEDGER, 3.0)


@pytest.mark.parametrize(
    ("state", "service", "paused", "word"),
    [
        (Empty(), InService(), False, "empty"),
        (Empty(), InService(), True, "empty"),
        (Empty(SILENT), OnTrial(SlotHeld()), False, "empty"),
        (Empty(), OutOfService(SlotHeld()), False, "out of service"),
        (Refused(Visit(REFUSED), None), InService(), False, "out of service"),
        (Waiting(Visit(ARRIVAL), SILENT), InService(), False, "waiting"),
        (Waiting(Visit(ARRIVAL), None), OutOfService(SlotHeld()), False, "out of service"),
        (Judged(Visit(ARRIVAL), PASSED), InService(), False, "pass"),
        (Judged(Visit(ARRIVAL), PASSED), InService(), True, "pass"),
        (Judged(Visit(ARRIVAL), PASSED), OutOfService(SlotHeld()), False, "pass"),
        (Judged(Visit(ARRIVAL), SILENT), InService(), True, "fail"),
        (Judged(Visit(ARRIVAL), SILENT), OutOfService(SlotHeld()), False, "out of service"),
        (Judged(Visit(ARRIVAL), WAITED_FOR), InService(), True, "waiting"),
        (Judged(Visit(ARRIVAL), SILENT), OnTrial(SlotHeld()), False, "fail"),
        (Judged(Visit(ARRIVAL), WAITED_FOR), InService(), False, "waiting"),
    ],
)
def test_the_word_for_a_slot_without_an_attempt(state: State, service: Service, word: str, *, paused: bool) -> None:
    assert shown(state, service, paused=paused) == word


async def test_the_word_for_a_slot_with_an_attempt(ledger: Ledger, secrets: Secrets) -> None:
    """A verdict is shown only when it is durable; a slot stays busy until the attempt of a departed board has ended."""
    journal: AttemptJournal = await begun(ledger, secrets)
    here, service = Visit(ARRIVAL), InService()
    for state, while_open, while_paused in (
        (Running(here, journal, 0.0), "running", "running"),
        (Running(None, journal, 0.0), "running", "running"),
        (Recording(here, journal, 3.0), "running", "waiting"),
        (Recording(None, journal, 3.0), "running", "empty"),
        (Abandoned(here, journal, NO_LEDGER, 3.0), "waiting", "waiting"),
        (Abandoned(None, journal, NO_LEDGER, 3.0), "empty", "empty"),
    ):
        assert shown(state, service, paused=False) == while_open
        assert shown(state, service, paused=True) == while_paused
    assert shown(Running(here, journal, 0.0), OutOfService(SlotHeld()), paused=False) == "running"


def test_another_board_takes_the_place_of_one_that_was_judged() -> None:
    judged, other = Judged(Visit(ARRIVAL), SILENT), Visit(ARRIVAL)
    assert with_board(judged, judged.here) is judged
    assert with_board(judged, None) == Empty(SILENT)
    assert with_board(judged, other) == Waiting(other, SILENT)
    refused = Visit(REFUSED)
    assert with_board(Empty(SILENT), refused) == Refused(refused, SILENT)
