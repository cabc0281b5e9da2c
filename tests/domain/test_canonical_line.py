# SPDX-License-Identifier: Apache-2.0
"""The keys of the log's `attempt.finished`."""

from station.domain.attempt import STATION_STOPPED, Attempt, Phase
from station.domain.work_order import Traced
from station.faults import Fault
from station.faults.line import ClockContradicted, LotExhausted
from station.faults.slot import ProgrammerStuck
from station.faults.unit import BoardSilent, CSRInvalid
from station.interfaces import BoardArrived
from station.line.canonical import finished
from station.line.states import Outcome


def line(fault: Fault | None, attempt: Attempt, ended_in: Phase = Phase.AWAIT_CSR) -> dict[str, object]:
    outcome = Outcome(7, BoardArrived("usb-1", "066CFF", "/dev/ttyACM0"), attempt, fault, 3.14159)
    return finished(outcome, ended_in, "lamp", Traced("L1", "WO-1"))


def test_a_faults_fields_are_keys_with_units() -> None:
    told = line(BoardSilent("HELLO", 2.0), Attempt(phase=Phase.FAILED, fault="board.silent", serial_number="S1"))
    assert (told["question"], told["within_seconds"]) == ("HELLO", 2.0)
    assert (told["verdict"], told["fault"], told["step"]) == ("fail", "board.silent", "await_csr")
    assert (told["serial_number"], told["lot"], told["recipe"]) == ("S1", "L1", "lamp")
    assert told["work_order"] == "WO-1"
    assert str(told["reason"]).startswith("The board does not answer on its serial port.")
    assert "within" not in told


def test_a_faults_field_never_replaces_a_key_of_the_line() -> None:
    told = line(CSRInvalid("subject", "it has none"), Attempt(phase=Phase.FAILED, fault="csr.invalid"))
    assert (told["rule"], told["fault_reason"]) == ("subject", "it has none")
    assert str(told["reason"]).startswith("The board's certificate request")
    told = line(ClockContradicted("10:00", "ledger", "11:00"), Attempt(phase=Phase.VOID, fault="clock.contradicted"))
    assert "time" not in told
    assert (told["clock"], told["fault_time"]) == ("10:00", "11:00")


def test_a_field_that_says_what_the_line_says_is_not_repeated() -> None:
    assert "fault_lot" not in line(LotExhausted("L1"), Attempt(phase=Phase.VOID, fault="lot.exhausted"))
    assert line(ProgrammerStuck(9.0), Attempt(phase=Phase.VOID))["within_seconds"] == 9.0


def test_an_attempt_that_the_stop_ended_has_its_reason() -> None:
    told = line(None, Attempt(phase=Phase.VOID, fault=STATION_STOPPED), Phase.RECOGNISE)
    assert told["step"] == "recognise"
    assert str(told["reason"]).startswith("The station stopped")


def test_a_passed_board_has_no_fault() -> None:
    told = line(None, Attempt(phase=Phase.PASSED), Phase.LOCK)
    assert (told["verdict"], told["fault"], told["reason"], told["step"]) == ("pass", None, None, "lock")
