# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/reliability.md, and a few of their kills for real. `make kill-table` tries them all."""

from itertools import product

import pytest

from station.domain.attempt import FLASHING, VERDICTS, Phase
from tests.line.held import ROWS
from tests.line.kill_judgement import Seen
from tests.line.kill_states import CELLS, IN_THE_TEST_RUN, STATES, Cell, Victim
from tests.line.kill_table import BEGIN, END, PAGE, details, overview, page, said, tried

SEEN = Seen(
    ("provision void `station.stopped`", "provision pass"), True, (), "reconfirm pass", "kept", 2, 1, 1, 1, (3, 4)
)
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_says_of_every_state_and_process_whether_it_was_tried() -> None:
    """None is missing, none is too many, and each that was not tried has its reason."""
    assert overview(TEXT) == {
        (state.name, victim): said(Cell(state, victim)) for victim, state in product(Victim, STATES)
    }


def test_the_page_has_what_was_seen_of_every_kill() -> None:
    assert details(TEXT) == [(cell.victim, cell.state.name) for cell in CELLS]


def test_a_page_that_is_made_anew_keeps_the_text_around_its_tables() -> None:
    made = page(f"before\n{BEGIN}of an earlier run\n{END}behind\n", {str(cell): SEEN for cell in CELLS})
    assert made.startswith(f"before\n{BEGIN}")
    assert made.endswith(f"{END}behind\n")
    assert "of an earlier run" not in made
    assert overview(made) == overview(TEXT)
    assert details(made) == details(TEXT)
    assert "| void" not in made
    assert (
        "| provision void `station.stopped` | provision pass | nothing | reconfirm pass | kept | 2: 1 its own, 1 orphan |"
        in made
    )


def test_every_step_and_every_commit_of_an_attempt_is_a_state() -> None:
    """So nobody can add a step without a look at what a kill does there."""
    steps = {phase.value for phase in Phase} - {Phase.STARTED.value, *(phase.value for phase in VERDICTS)}
    wanted = {
        f"{when} {what}" for when in ("before", "after") for what in (*steps, *ROWS, "the factory data", "the verdict")
    }
    names = [state.name for state in STATES]
    assert wanted | {f"in {step}" for step in steps} <= set(names)
    assert len(set(names)) == len(names)


def test_the_daemon_is_killed_everywhere_and_the_programmer_wherever_one_flashes() -> None:
    tried_of = {victim: {cell.state.name for cell in CELLS if cell.victim is victim} for victim in Victim}
    assert tried_of[Victim.DAEMON] == {state.name for state in STATES}
    assert tried_of[Victim.PROGRAMMER] >= {f"in {phase.value}" for phase in FLASHING}


@pytest.mark.line
@pytest.mark.timeout(900)
def test_a_kill_makes_no_false_pass_no_second_identity_and_no_unknown_certificate() -> None:
    """Four processes, each in a state of its own, at one line; then the referee looks at all that is left."""
    cells = [cell for cell in CELLS if (cell.state.name, cell.victim) in IN_THE_TEST_RUN]
    assert len(cells) == len(IN_THE_TEST_RUN)
    seen, wrong = tried(cells)
    assert wrong == []
    assert seen["daemon, before the certificate"].orphans == 1
    assert [each.again for each in seen.values()] == ["reconfirm pass"] * len(cells)
