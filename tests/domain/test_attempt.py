# SPDX-License-Identifier: Apache-2.0
"""The table of an attempt: which event may follow which."""

from dataclasses import replace
from itertools import pairwise

import pytest

from station.domain.attempt import (
    VERDICTS,
    Attempt,
    Confirmed,
    CoprocessorReady,
    CredentialsChosen,
    CredentialsDelivered,
    CredentialsFound,
    CSRReceived,
    Event,
    FactoryDataWritten,
    Failed,
    IdentityReserved,
    LaboratoryUnit,
    Passed,
    Phase,
    ProcedureChosen,
    ProcedureName,
    Record,
    StepFinished,
    StepStarted,
    UnitIdentified,
    Voided,
)
from station.domain.product import KeyStorage
from station.domain.target import UID, Target
from station.domain.transitions import after, replay

UID_7 = UID(bytes(11) + b"\x07")
KEY = "c0" * 32

PROCEDURE = (
    Phase.RECOGNISE,
    Phase.FLASH_DATA,
    Phase.FLASH_PROVISIONER,
    Phase.AWAIT_CSR,
    Phase.RELAY_TO_PKI,
    Phase.DELIVER,
    Phase.FLASH_OPERATIONAL,
    Phase.CONFIRM,
)

WAYS = {
    "provision": PROCEDURE,
    "provision, with a wireless stack": (Phase.RECOGNISE, Phase.COPROCESSOR, *PROCEDURE[1:]),
    "provision, with a lock": (*PROCEDURE, Phase.LOCK),
    "provision by a partner": (*PROCEDURE[:3], *PROCEDURE[5:]),
    "finish a partner's unit": (Phase.RECOGNISE, Phase.FLASH_OPERATIONAL, Phase.CONFIRM),
    "redeliver": (Phase.RECOGNISE, *PROCEDURE[2:]),
    "reconfirm": (Phase.RECOGNISE, Phase.CONFIRM),
    "resume": (Phase.RECOGNISE, *PROCEDURE[3:]),
}
"""The steps of each procedure that there is: no other order may be journalled."""

IN_RAM = {
    ProcedureName.PROVISION_IN_RAM: (
        Phase.FLASH_DATA,
        Phase.FLASH_OPERATIONAL,
        Phase.FLASH_PROVISIONER,
        Phase.AWAIT_CSR,
        Phase.RELAY_TO_PKI,
        Phase.DELIVER,
        Phase.CONFIRM,
    ),
    ProcedureName.REDELIVER_IN_RAM: (
        Phase.FLASH_OPERATIONAL,
        Phase.FLASH_PROVISIONER,
        Phase.AWAIT_CSR,
        Phase.RELAY_TO_PKI,
        Phase.DELIVER,
        Phase.CONFIRM,
    ),
    ProcedureName.RESUME_IN_RAM: (
        Phase.FLASH_OPERATIONAL,
        Phase.FLASH_PROVISIONER,
        Phase.AWAIT_CSR,
        Phase.RELAY_TO_PKI,
        Phase.DELIVER,
        Phase.CONFIRM,
    ),
}
"""The steps of the procedures with the provisioning firmware in RAM, after the recognition."""

MAY_BEGIN_AFTER = {pair for way in WAYS.values() for pair in pairwise((Phase.STARTED, *way))}

MAY_BEGIN_IN_A_LABORATORY_AFTER = {
    (Phase.FLASH_DATA, Phase.FLASH_OPERATIONAL),  # reconfigured with firmware
    (Phase.FLASH_DATA, Phase.CONFIRM),  # reconfigured without
}

RECORDED_DURING_EITHER: dict[Record, set[Phase]] = {
    LaboratoryUnit(): {Phase.RECOGNISE, Phase.CONFIRM},
    CredentialsFound(KEY, "0A", KeyStorage.FLASH): {Phase.CONFIRM},
}

RECORDED_DURING: dict[Record, Phase] = {
    UnitIdentified(UID_7, 0x495, 3300, "V3J15M6", "2.19.0"): Phase.RECOGNISE,
    IdentityReserved("SN000007"): Phase.RECOGNISE,
    ProcedureChosen(ProcedureName.PROVISION): Phase.RECOGNISE,
    CoprocessorReady("0a" * 32, "1.2.0.0", "none", "1.24.0.3", upgraded=True): Phase.COPROCESSOR,
    FactoryDataWritten(): Phase.FLASH_DATA,
    CSRReceived(KEY): Phase.AWAIT_CSR,
    CredentialsChosen(KEY, "0A"): Phase.RELAY_TO_PKI,
    CredentialsDelivered("0A"): Phase.DELIVER,
    Confirmed(): Phase.CONFIRM,
}


def whole_attempt() -> list[Event]:
    """Every event of a unit that passes."""
    events: list[Event] = []
    for number, step in enumerate(PROCEDURE):
        records = [record for record, phase in RECORDED_DURING.items() if phase is step]
        events += [StepStarted(step), *records, StepFinished(step, float(number))]
    return [*events, Passed()]


@pytest.mark.parametrize("procedure", IN_RAM)
def test_with_the_firmware_in_ram_the_application_comes_first(procedure: ProcedureName) -> None:
    """It is confirmed after the delivery alone: never a board whose application was written and which has no certificate."""
    attempt = Attempt(phase=Phase.RECOGNISE, procedure=procedure)
    for step in IN_RAM[procedure]:
        attempt = after(attempt, StepStarted(step))
    for step in IN_RAM[procedure][:-2]:
        with pytest.raises(ValueError, match="StepStarted cannot follow"):
            after(Attempt(phase=step, procedure=procedure), StepStarted(Phase.CONFIRM))


@pytest.mark.parametrize("step", Phase)
@pytest.mark.parametrize("phase", Phase)
def test_a_step_begins_only_after_the_one_before_it(phase: Phase, step: Phase) -> None:
    """Every pair of phases is tried; only those that some procedure needs are allowed."""
    attempt = Attempt(phase=phase)
    if (phase, step) in MAY_BEGIN_AFTER:
        assert after(attempt, StepStarted(step)).phase is step
    else:
        with pytest.raises(ValueError, match=f"StepStarted cannot follow {phase.value}"):
            after(attempt, StepStarted(step))


@pytest.mark.parametrize("step", Phase)
@pytest.mark.parametrize("phase", Phase)
def test_a_laboratorys_unit_may_take_a_shorter_way(phase: Phase, step: Phase) -> None:
    """No other unit may skip these steps."""
    attempt = Attempt(phase=phase, laboratory=True)
    if (phase, step) in MAY_BEGIN_AFTER | MAY_BEGIN_IN_A_LABORATORY_AFTER:
        assert after(attempt, StepStarted(step)).phase is step
    else:
        with pytest.raises(ValueError, match=f"StepStarted cannot follow {phase.value}"):
            after(attempt, StepStarted(step))


@pytest.mark.parametrize("record", RECORDED_DURING_EITHER, ids=lambda record: type(record).__name__)
@pytest.mark.parametrize("phase", Phase)
def test_what_a_partner_delivered_is_recorded_when_it_is_confirmed(phase: Phase, record: Record) -> None:
    """The certificate may reveal that the unit is a laboratory unit."""
    if phase in RECORDED_DURING_EITHER[record]:
        assert after(Attempt(phase=phase), record).phase is phase
    else:
        with pytest.raises(ValueError, match=f"{type(record).__name__} cannot follow"):
            after(Attempt(phase=phase), record)


def test_a_laboratorys_unit_is_known_as_one() -> None:
    """The attempt also has the certificate that was found on the unit."""
    found = replay([StepStarted(Phase.RECOGNISE), LaboratoryUnit()])
    assert found.laboratory
    found = after(Attempt(phase=Phase.CONFIRM), CredentialsFound(KEY, "0A", KeyStorage.FLASH))
    assert (found.dac_serial_number, found.key_storage) == ("0A", KeyStorage.FLASH)


@pytest.mark.parametrize("record", RECORDED_DURING, ids=lambda record: type(record).__name__)
@pytest.mark.parametrize("phase", Phase)
def test_a_fact_is_recorded_in_its_own_step_only(phase: Phase, record: Record) -> None:
    """A certificate cannot be delivered while flash is written."""
    attempt = Attempt(phase=phase)
    if RECORDED_DURING[record] is phase:
        assert after(attempt, record).phase is phase
    else:
        with pytest.raises(ValueError, match=f"{type(record).__name__} cannot follow"):
            after(attempt, record)


@pytest.mark.parametrize("phase", Phase)
def test_only_a_confirmed_unit_passes(phase: Phase) -> None:
    """No shorter way leads to a pass."""
    attempt = Attempt(phase=phase)
    if phase in {Phase.CONFIRM, Phase.LOCK}:
        assert after(attempt, Passed()).phase is Phase.PASSED
    else:
        with pytest.raises(ValueError, match="Passed cannot follow"):
            after(attempt, Passed())


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase not in VERDICTS])
def test_an_attempt_can_fail_and_be_voided_at_any_time(phase: Phase) -> None:
    """The attempt keeps the fault that ended it."""
    failed, voided = (
        after(Attempt(phase=phase), Failed("board.silent")),
        after(Attempt(phase=phase), Voided("tty.lost")),
    )
    assert (failed.phase, failed.fault, failed.ended) == (Phase.FAILED, "board.silent", True)
    assert (voided.phase, voided.fault, voided.ended) == (Phase.VOID, "tty.lost", True)


@pytest.mark.parametrize("phase", VERDICTS)
@pytest.mark.parametrize(
    "event",
    [StepStarted(Phase.RECOGNISE), *RECORDED_DURING, Passed(), Failed("x"), Voided("x")],
    ids=lambda event: type(event).__name__,
)
def test_nothing_follows_a_verdict(phase: Phase, event: Event) -> None:
    """A verdict is never changed; the board gets a new attempt."""
    with pytest.raises(ValueError, match="cannot follow"):
        after(Attempt(phase=phase), event)


def test_only_the_running_step_finishes() -> None:
    """The seconds belong to the step in which the attempt is."""
    attempt = Attempt(phase=Phase.FLASH_DATA)
    assert after(attempt, StepFinished(Phase.FLASH_DATA, 4.5)).seconds == {Phase.FLASH_DATA: 4.5}
    with pytest.raises(ValueError, match="StepFinished cannot follow flash_data"):
        after(attempt, StepFinished(Phase.RECOGNISE, 4.5))


def test_a_whole_attempt_adds_up() -> None:
    """The attempt has UID, serial number, certificate, verdict and the seconds of every step."""
    assert replay(whole_attempt()) == Attempt(
        phase=Phase.PASSED,
        uid=UID_7,
        serial_number="SN000007",
        dac_serial_number="0A",
        seconds={step: float(number) for number, step in enumerate(PROCEDURE)},
        procedure=ProcedureName.PROVISION,
    )


@pytest.mark.parametrize("phase", Phase)
def test_a_judged_attempt_of_production_counts_in_the_yield(phase: Phase) -> None:
    """Void attempts, the laboratory's, and boards that could not be identified say nothing of the product."""
    attempt = Attempt(phase=phase, uid=UID_7)
    assert attempt.counts_in_yield is (phase in {Phase.PASSED, Phase.FAILED})
    assert not replace(attempt, laboratory=True).counts_in_yield
    assert not replace(attempt, uid=None).counts_in_yield


def test_an_attempt_without_events_has_not_begun() -> None:
    """An attempt without events has neither board nor verdict."""
    assert replay([]) == Attempt()
    assert not Attempt().ended


@pytest.mark.parametrize("missing", PROCEDURE)
def test_a_procedure_with_a_step_left_out_does_not_pass(missing: Phase) -> None:
    """The table holds even if the procedure is wrong."""
    skipping = [event for event in whole_attempt() if event != StepStarted(missing)]
    with pytest.raises(ValueError, match="cannot follow"):
        replay(skipping)


def test_what_the_probe_told_becomes_an_event() -> None:
    """The event has the versions of the tools, which may explain later problems."""
    target = Target(UID_7, 0x495, "Rev Y", 3300, 0xAA, "V3J15M6", "2.19.0")
    assert UnitIdentified.of(target) == UnitIdentified(UID_7, 0x495, 3300, "V3J15M6", "2.19.0")
