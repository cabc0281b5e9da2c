# SPDX-License-Identifier: Apache-2.0
"""The table of which event may follow which in an attempt, and the sum of the events. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce

from station.domain.attempt import (
    VERDICTS,
    Attempt,
    ClockAccepted,
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
    RouteChecked,
    StepFinished,
    StepStarted,
    UnitIdentified,
    Voided,
    WriteRepeated,
)


@dataclass(frozen=True, slots=True)
class Row:
    """For one phase: the steps that may follow, further ones for laboratory units, and the facts that may be recorded in it.

    `in_ram` are the steps that may follow instead, where the provisioning firmware is in RAM.
    """

    next: frozenset[Phase]
    records: frozenset[type[Record]] = frozenset()
    laboratory: frozenset[Phase] = frozenset()
    in_ram: frozenset[Phase] = frozenset()

    def allows(self, step: Phase, attempt: Attempt) -> bool:
        following = self.in_ram if self.in_ram and attempt.procedure in IN_RAM else self.next
        return step in following or (attempt.laboratory and step in self.laboratory)


def _row(
    *following: Phase,
    records: Iterable[type[Record]] = (),
    laboratory: Iterable[Phase] = (),
    in_ram: Iterable[Phase] = (),
) -> Row:
    return Row(frozenset(following), frozenset(records), frozenset(laboratory), frozenset(in_ram))


FIRST_STEP = Phase.RECOGNISE
"""The step that every attempt begins with."""

IN_RAM = frozenset({ProcedureName.PROVISION_IN_RAM, ProcedureName.REDELIVER_IN_RAM, ProcedureName.RESUME_IN_RAM})


TRANSITIONS: Mapping[Phase, Row] = {
    Phase.STARTED: _row(FIRST_STEP, records=[ClockAccepted]),
    Phase.RECOGNISE: _row(
        Phase.COPROCESSOR,
        Phase.FLASH_DATA,
        Phase.FLASH_PROVISIONER,  # a board that holds its certificate is redelivered
        Phase.AWAIT_CSR,  # one whose last attempt ended at the PKI is resumed
        Phase.FLASH_OPERATIONAL,  # one that a partner has provisioned is finished
        Phase.CONFIRM,  # a unit that has passed is reconfirmed
        records=[UnitIdentified, RouteChecked, LaboratoryUnit, IdentityReserved, ProcedureChosen],
    ),
    Phase.COPROCESSOR: _row(Phase.FLASH_DATA, records=[CoprocessorReady]),
    Phase.FLASH_DATA: _row(
        Phase.FLASH_PROVISIONER,
        records=[FactoryDataWritten, WriteRepeated],
        laboratory=[Phase.FLASH_OPERATIONAL, Phase.CONFIRM],  # reconfigured, with and without firmware
        in_ram=[Phase.FLASH_OPERATIONAL],
    ),
    Phase.FLASH_PROVISIONER: _row(
        Phase.AWAIT_CSR,
        Phase.DELIVER,  # by a partner
        records=[WriteRepeated],
    ),
    Phase.AWAIT_CSR: _row(Phase.RELAY_TO_PKI, records=[CSRReceived]),
    Phase.RELAY_TO_PKI: _row(Phase.DELIVER, records=[CredentialsChosen]),
    Phase.DELIVER: _row(Phase.FLASH_OPERATIONAL, records=[CredentialsDelivered], in_ram=[Phase.CONFIRM]),
    Phase.FLASH_OPERATIONAL: _row(Phase.CONFIRM, records=[WriteRepeated], in_ram=[Phase.FLASH_PROVISIONER]),
    Phase.CONFIRM: _row(Phase.LOCK, Phase.PASSED, records=[LaboratoryUnit, CredentialsFound, Confirmed]),
    Phase.LOCK: _row(Phase.PASSED),
    Phase.PASSED: _row(),
    Phase.FAILED: _row(),
    Phase.VOID: _row(),
}


def after(attempt: Attempt, event: Event) -> Attempt:  # noqa: C901, PLR0911  a case an event is the table read aloud
    """The attempt after one more event; `ValueError` if the table does not allow it."""
    row = TRANSITIONS[attempt.phase]
    match event:
        case StepStarted(step) if row.allows(step, attempt) and step not in VERDICTS:
            return replace(attempt, phase=step)
        case StepFinished(step, seconds) if step is attempt.phase:
            return replace(attempt, seconds={**attempt.seconds, step: seconds})
        case UnitIdentified(uid) if UnitIdentified in row.records:
            return replace(attempt, uid=uid)
        case LaboratoryUnit() if LaboratoryUnit in row.records:
            return replace(attempt, laboratory=True)
        case IdentityReserved(serial_number) if IdentityReserved in row.records:
            return replace(attempt, serial_number=serial_number)
        case ProcedureChosen(procedure) if ProcedureChosen in row.records:
            return replace(attempt, procedure=procedure)
        case CredentialsChosen(_, dac_serial_number) if CredentialsChosen in row.records:
            return replace(attempt, dac_serial_number=dac_serial_number)
        case CredentialsFound(_, dac_serial_number, key_storage) if CredentialsFound in row.records:
            return replace(attempt, dac_serial_number=dac_serial_number, key_storage=key_storage)
        case Passed() if Phase.PASSED in row.next:
            return replace(attempt, phase=Phase.PASSED)
        case Failed(fault) if not attempt.ended:
            return replace(attempt, phase=Phase.FAILED, fault=fault)
        case Voided(fault) if not attempt.ended:
            return replace(attempt, phase=Phase.VOID, fault=fault)
        case _ if type(event) in row.records:
            return attempt
    msg = f"{event.on_disk.name} cannot follow {attempt.phase.value}"
    raise ValueError(msg)


def replay(events: Iterable[Event]) -> Attempt:
    """The attempt after all its events, the first event first."""
    return reduce(after, events, Attempt())
