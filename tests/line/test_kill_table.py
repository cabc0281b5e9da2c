# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/reliability.md, and a few of their kills for real. `make kill-table` tries them all."""

from itertools import pairwise

import pytest
from sqlalchemy import create_engine

from station.adapters.ledger import shared_tables, tables
from station.domain.attempt import FLASHING, VERDICTS, Attempt, Phase, ProcedureName
from station.domain.transitions import FIRST_STEP, TRANSITIONS
from tests.builders.line import ROOT
from tests.line.held import AT_CENTRE, EXCHANGE, ROWS
from tests.line.kill_judgement import Seen
from tests.line.kill_states import (
    CELLS,
    IN_RAM,
    IN_THE_TEST_RUN,
    OF_BOARD,
    OF_NUMBERS,
    STATES,
    STEPS,
    VICTIMS,
    Cell,
    Run,
    Victim,
)
from tests.line.kill_table import BEGIN, END, PAGE, details, overview, page, said, tried

pytestmark = pytest.mark.executed

SEEN = Seen(
    ("provision void `station.stopped`", "provision pass"), True, (), "reconfirm pass", "kept", 2, 1, 1, 1, (3, 4)
)
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("run", Run)
def test_the_page_says_of_every_state_and_process_whether_it_was_tried(run: Run) -> None:
    """None is missing, none is too many, and each that was not tried has its reason."""
    assert overview(TEXT, run) == {
        (state.name, victim): said(Cell(run, state, victim)) for victim in VICTIMS[run] for state in STATES[run]
    }


@pytest.mark.parametrize("run", Run)
def test_the_page_has_what_was_seen_of_every_kill(run: Run) -> None:
    assert details(TEXT, run) == [(cell.victim, cell.state.name) for cell in CELLS if cell.run is run]


@pytest.mark.parametrize("run", Run)
def test_a_page_that_is_made_anew_keeps_the_text_around_its_tables(run: Run) -> None:
    """Also the tables of the other runs, so one of them can be tried alone."""
    begin, end = BEGIN.format(run), END.format(run)
    made = page(TEXT.replace(begin, f"{begin}of an earlier run\n"), run, {str(cell): SEEN for cell in CELLS})
    assert made.startswith(TEXT.partition(begin)[0] + begin)
    assert made.endswith(end + TEXT.partition(end)[2])
    assert "of an earlier run" not in made
    assert overview(made, run) == overview(TEXT, run)
    assert details(made, run) == details(TEXT, run)
    assert "| void" not in made.partition(begin)[2].partition(end)[0]
    assert (
        "| provision void `station.stopped` | provision pass | nothing | reconfirm pass | kept | 2: 1 its own, 1 orphan |"
        in made
    )


@pytest.mark.parametrize("run", Run)
def test_every_step_and_every_commit_of_an_attempt_is_a_state(run: Run) -> None:
    """So nobody can add a step without a look at what a kill does there."""
    steps = {phase.value for phase in Phase} - {Phase.STARTED.value, *(phase.value for phase in VERDICTS)}
    commits = {*steps - {FIRST_STEP.value}, *ROWS, "the factory data", "the verdict"}
    wanted = {f"{when} {what}" for when in ("before", "after") for what in commits}
    names = [state.name for state in STATES[run]]
    assert wanted | {f"in {step}" for step in steps} <= set(names)
    assert len(set(names)) == len(names)


def test_every_commit_of_ledger_and_centre_when_they_talk_is_a_state() -> None:
    assert sorted((*OF_NUMBERS, *OF_BOARD)) == sorted((*EXCHANGE, *AT_CENTRE.values()))


def test_ledger_and_centre_still_have_the_tables_by_which_a_commit_is_known() -> None:
    """A daemon would stand still at no commit of a table that has another name now."""
    centre = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "station/adapters/centre").glob("*.py"))
    assert [words for words in AT_CENTRE if words not in centre] == []
    engine = create_engine("sqlite://")
    assert shared_tables.block.name in tables.metadata.tables
    tables.metadata.create_all(engine)
    with engine.connect() as ledger:
        assert {ledger.exec_driver_sql(count).scalar() for count in (ROWS | EXCHANGE).values()} == {0}


@pytest.mark.parametrize(
    ("steps", "procedure"), [(STEPS, ProcedureName.PROVISION), (IN_RAM, ProcedureName.PROVISION_IN_RAM)]
)
def test_the_steps_are_in_the_order_in_which_the_procedure_has_them(
    steps: tuple[Phase, ...], procedure: ProcedureName
) -> None:
    attempt = Attempt(procedure=procedure)
    for before, step in pairwise([Phase.STARTED, *steps, Phase.PASSED]):
        assert TRANSITIONS[before].allows(step, attempt), (before, step)


@pytest.mark.parametrize("run", Run)
def test_the_daemon_is_killed_everywhere_and_the_programmer_wherever_one_flashes(run: Run) -> None:
    cells = [cell for cell in CELLS if cell.run is run]
    tried_of = {victim: {cell.state.name for cell in cells if cell.victim is victim} for victim in Victim}
    assert tried_of[Victim.DAEMON] == {state.name for state in STATES[run]}
    if Victim.PROGRAMMER in VICTIMS[run]:
        assert tried_of[Victim.PROGRAMMER] >= {f"in {phase.value}" for phase in FLASHING}


@pytest.mark.line
@pytest.mark.timeout(900)
@pytest.mark.parametrize("run", [Run.FLASH, Run.RAM])
def test_a_kill_makes_no_false_pass_no_second_identity_and_no_unknown_certificate(run: Run) -> None:
    """A few processes, each in a state of its own, at one line; then the referee looks at all that is left."""
    asked = [each for each in IN_THE_TEST_RUN if each[0] is run]
    cells = [cell for cell in CELLS if (cell.run, cell.state.name, cell.victim) in asked]
    assert len(cells) == len(asked)
    seen, wrong = tried(cells)
    assert wrong == []
    assert [each.again for each in seen.values()] == ["reconfirm pass"] * len(cells)
    assert sum(each.orphans for each in seen.values()) == (run is Run.FLASH)
