# SPDX-License-Identifier: Apache-2.0
"""What may follow from a kill: each lie about what the station did is found."""

from dataclasses import replace

import pytest

from tests.line.kill_expected import contradictions
from tests.line.kill_judgement import Seen
from tests.line.kill_states import CELLS, Cell, Run, Victim

SEEN = Seen((), True, (), "reconfirm pass", "kept", 1, 1, 0, 1, (3, 3))
GONE_ON = ("provision_in_ram void `station.stopped`", "redeliver_in_ram pass")
UNPOWERED = ("provision_in_ram void `board.unpowered`", "provision_in_ram pass")


def cell(run: Run, victim: Victim, state: str) -> Cell:
    (found,) = [each for each in CELLS if (each.run, each.victim, each.state.name) == (run, victim, state)]
    return found


KILLED = cell(Run.RAM, Victim.DAEMON, "before confirm")
DIPPED = cell(Run.RAM, Victim.POWER, "in await_csr")


@pytest.mark.parametrize(
    ("of", "attempts"),
    [
        (KILLED, GONE_ON),
        (DIPPED, UNPOWERED),
        (cell(Run.RAM, Victim.POWER, "in confirm"), ("provision_in_ram pass",)),
        (cell(Run.FLASH, Victim.POWER, "in await_csr"), ("provision pass",)),
        (cell(Run.RAM, Victim.POWER, "in flash_data"), ("provision_in_ram fail `target.refused`", "provision_in_ram pass")),
        (cell(Run.FLASH, Victim.DAEMON, "after await_csr"), ("provision void `station.stopped`", "provision pass")),
        (cell(Run.FLASH, Victim.DAEMON, "in recognise"), ("void `station.stopped`", "provision pass")),
    ],
)  # fmt: skip
def test_what_is_right_is_no_contradiction(of: Cell, attempts: tuple[str, ...]) -> None:
    assert list(contradictions(of, replace(SEEN, attempts=attempts))) == []


@pytest.mark.parametrize(
    ("of", "attempts", "found"),
    [
        (KILLED, ("provision void `station.stopped`", "redeliver_in_ram pass"), "other plan"),
        (cell(Run.FLASH, Victim.DAEMON, "after await_csr"), GONE_ON, "other plan"),
        (KILLED, (GONE_ON[0], "provision_in_ram pass"), "provisioned anew"),
        (KILLED, ("provision_in_ram fail `board.silent`", "redeliver_in_ram pass"), "has failed"),
        (KILLED, ("provision_in_ram void `board.unpowered`", "redeliver_in_ram pass"), "loss of what was in RAM"),
        (DIPPED, ("provision_in_ram pass",), "loss of what was in RAM"),
        (
            cell(Run.FLASH, Victim.POWER, "in await_csr"),
            ("provision void `board.unpowered`", "provision pass"),
            "loss of what was in RAM",
        ),
        (DIPPED, ("provision_in_ram fail `board.refused`", *UNPOWERED), "has failed"),
    ],
)
def test_an_attempt_that_the_state_does_not_allow_is_found(of: Cell, attempts: tuple[str, ...], found: str) -> None:
    (told,) = contradictions(of, replace(SEEN, attempts=attempts))
    assert found in told


def test_a_certificate_is_lost_only_where_the_answer_of_the_pki_was() -> None:
    lost = replace(SEEN, attempts=GONE_ON, issued=2, orphans=1)
    (told,) = contradictions(KILLED, lost)
    assert "lost" in told
    under_way = replace(lost, attempts=("provision_in_ram void `station.stopped`", "provision_in_ram pass"))
    assert list(contradictions(cell(Run.RAM, Victim.DAEMON, "in relay_to_pki"), under_way)) == []
