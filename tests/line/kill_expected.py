# SPDX-License-Identifier: Apache-2.0
"""What may follow from a process that was killed, or from a supply that has dipped: by plan, state and process. Pure.

`kill_judgement.py` compares board, ledger, PKI and MES with each other; here what the station did is compared with what
the state allows.
"""

from collections.abc import Iterator

from station.domain.product import Plan
from tests.line.kill_judgement import Seen
from tests.line.kill_states import HANGING, STATES, Cell, Kind, Part, Run, Victim

AT_ANY_TIME = frozenset({"void", "fail", "pass", "reconfirm"})
"""The first words of an attempt that had chosen no procedure, and the procedure that the plans share."""
UNPOWERED = "board.unpowered"


def contradictions(cell: Cell, seen: Seen) -> Iterator[str]:
    """What was seen that the state does not allow."""
    if others := [each for each in seen.attempts if not _of_plan(cell.run.plan, each)]:
        yield f"procedures of the other plan: {others}"
    if seen.orphans and not _answer_lost(cell):
        yield f"{seen.orphans} certificates are lost, although each answer of the PKI was committed"
    if lost_its_ram(cell) is not any(UNPOWERED in each for each in seen.attempts):
        yield f"{UNPOWERED} tells of a loss of what was in RAM, and {seen.attempts} is otherwise"
    if (failed := [each for each in seen.attempts if " fail " in f" {each} "]) and not _cut_off(cell):
        yield f"nothing is wrong with the board, which has failed: {failed}"
    if _holds_certificate(cell) and (again := [each for each in seen.attempts[1:] if each.startswith("provision")]):
        yield f"the board held its certificate, and has been provisioned anew: {again}"


def lost_its_ram(cell: Cell) -> bool:
    """Whether the provisioning firmware was in RAM, with work left, when the supply dipped. No kill of a process does that.

    A programmer that is at work notices the dip itself.
    """
    if (cell.run, cell.victim) != (Run.RAM, Victim.POWER) or cell.state.kind in HANGING:
        return False
    begin, end = _place(cell.run, "before flash_operational"), _place(cell.run, "in deliver")
    return begin <= _place(cell.run, cell.state.name) <= end


def _of_plan(plan: Plan, attempt: str) -> bool:
    procedure = attempt.split(maxsplit=1)[0]
    return procedure in AT_ANY_TIME or procedure.endswith("_in_ram") is (plan is Plan.RAM)


def _answer_lost(cell: Cell) -> bool:
    """The PKI has issued a certificate, and nobody has its answer."""
    if cell.victim is Victim.DAEMON:
        return cell.state.kind is Kind.LATE_PKI or cell.state.name == "before the certificate"
    return cell.victim is Victim.PKI and cell.state.kind is Kind.LATE_PKI


def _cut_off(cell: Cell) -> bool:
    """A programmer at work has lost its target: the station cannot know that it was not the board's fault."""
    return cell.victim is Victim.POWER and cell.state.kind in HANGING


def _holds_certificate(cell: Cell) -> bool:
    """The board has stored it; the answer that says so may be under way."""
    if cell.state.part in {Part.LABEL, Part.MES}:
        return True
    later = _place(cell.run, cell.state.name) >= _place(cell.run, "in deliver")
    return cell.state.part is Part.ATTEMPT and later


def _place(run: Run, state: str) -> int:
    return [each.name for each in STATES[run]].index(state)
