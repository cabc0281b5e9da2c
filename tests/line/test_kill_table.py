# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/reliability.md, and a few of their kills for real. `make kill-table` tries them all."""

from itertools import pairwise

import pytest

from station.domain.attempt import FLASHING, VERDICTS, Attempt, Phase, ProcedureName
from station.domain.product import Plan
from station.domain.transitions import TRANSITIONS
from tests.line.held import ROWS
from tests.line.kill_judgement import Seen
from tests.line.kill_states import CELLS, IN_RAM, IN_THE_TEST_RUN, STATES, STEPS, VICTIMS, Cell, Victim
from tests.line.kill_table import BEGIN, END, PAGE, details, overview, page, said, tried

SEEN = Seen(
    ("provision void `station.stopped`", "provision pass"), True, (), "reconfirm pass", "kept", 2, 1, 1, 1, (3, 4)
)
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("plan", Plan)
def test_the_page_says_of_every_state_and_process_whether_it_was_tried(plan: Plan) -> None:
    """None is missing, none is too many, and each that was not tried has its reason."""
    assert overview(TEXT, plan) == {
        (state.name, victim): said(Cell(plan, state, victim)) for victim in VICTIMS[plan] for state in STATES[plan]
    }


@pytest.mark.parametrize("plan", Plan)
def test_the_page_has_what_was_seen_of_every_kill(plan: Plan) -> None:
    assert details(TEXT, plan) == [(cell.victim, cell.state.name) for cell in CELLS if cell.plan is plan]


@pytest.mark.parametrize("plan", Plan)
def test_a_page_that_is_made_anew_keeps_the_text_around_its_tables(plan: Plan) -> None:
    """Also the tables of the other plan, so one of them can be tried alone."""
    begin, end = BEGIN.format(plan), END.format(plan)
    made = page(TEXT.replace(begin, f"{begin}of an earlier run\n"), plan, {str(cell): SEEN for cell in CELLS})
    assert made.startswith(TEXT.partition(begin)[0] + begin)
    assert made.endswith(end + TEXT.partition(end)[2])
    assert "of an earlier run" not in made
    assert overview(made, plan) == overview(TEXT, plan)
    assert details(made, plan) == details(TEXT, plan)
    assert "| void" not in made.partition(begin)[2].partition(end)[0]
    assert (
        "| provision void `station.stopped` | provision pass | nothing | reconfirm pass | kept | 2: 1 its own, 1 orphan |"
        in made
    )


@pytest.mark.parametrize("plan", Plan)
def test_every_step_and_every_commit_of_an_attempt_is_a_state(plan: Plan) -> None:
    """So nobody can add a step without a look at what a kill does there."""
    steps = {phase.value for phase in Phase} - {Phase.STARTED.value, *(phase.value for phase in VERDICTS)}
    wanted = {
        f"{when} {what}" for when in ("before", "after") for what in (*steps, *ROWS, "the factory data", "the verdict")
    }
    names = [state.name for state in STATES[plan]]
    assert wanted | {f"in {step}" for step in steps} <= set(names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("steps", "procedure"), [(STEPS, ProcedureName.PROVISION), (IN_RAM, ProcedureName.PROVISION_IN_RAM)]
)
def test_the_steps_are_in_the_order_in_which_the_procedure_has_them(
    steps: tuple[Phase, ...], procedure: ProcedureName
) -> None:
    attempt = Attempt(procedure=procedure)
    for before, step in pairwise([Phase.STARTED, *steps, Phase.PASSED]):
        assert TRANSITIONS[before].allows(step, attempt), (before, step)


@pytest.mark.parametrize("plan", Plan)
def test_the_daemon_is_killed_everywhere_and_the_programmer_wherever_one_flashes(plan: Plan) -> None:
    cells = [cell for cell in CELLS if cell.plan is plan]
    tried_of = {victim: {cell.state.name for cell in cells if cell.victim is victim} for victim in Victim}
    assert tried_of[Victim.DAEMON] == {state.name for state in STATES[plan]}
    assert tried_of[Victim.PROGRAMMER] >= {f"in {phase.value}" for phase in FLASHING}


@pytest.mark.line
@pytest.mark.timeout(900)
@pytest.mark.parametrize("plan", Plan)
def test_a_kill_makes_no_false_pass_no_second_identity_and_no_unknown_certificate(plan: Plan) -> None:
    """A few processes, each in a state of its own, at one line; then the referee looks at all that is left."""
    asked = [each for each in IN_THE_TEST_RUN if each[0] is plan]
    cells = [cell for cell in CELLS if (cell.plan, cell.state.name, cell.victim) in asked]
    assert len(cells) == len(asked)
    seen, wrong = tried(cells)
    assert wrong == []
    assert [each.again for each in seen.values()] == ["reconfirm pass"] * len(cells)
    lost = seen.get("daemon, before the certificate, plan flash")
    assert lost is None or lost.orphans == 1
