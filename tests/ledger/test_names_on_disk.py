# SPDX-License-Identifier: Apache-2.0
"""The names that ledgers have on disk, listed a second time, so that no rename in code changes one unnoticed."""

import json
from dataclasses import fields
from typing import get_args

import pytest

from station.adapters.ledger import chain, events, lots
from station.adapters.ledger.leases import PairState
from station.adapters.ledger.shared_state import Stopped
from station.domain.attempt import STATION_STOPPED, VERDICTS, Phase, ProcedureName
from station.domain.disposition import UnitEvent
from station.domain.identity import IdentityState
from station.domain.intervention import Deed
from station.domain.issuance import OrphanKind
from station.domain.labelling import LabelEvent, PrintReason
from station.domain.product import KeyStorage
from station.domain.samples import SampleEvent
from station.domain.secrets_deed import Act
from station.domain.shared import Rank
from station.domain.work_order import LotState
from station.procedure.names import NAMES
from tests.builders.fault_catalogue import catalogue

FROZEN = (
    "The names on disk have changed, and ledgers of before have the old ones. Rename in Python only, and leave the name on disk as it was"
    " (`on_disk` of an event, the value of an enum, `code` of a fault). A new name is added to this list; none is ever taken away"
    " or used for anything else."
)

EVENTS = {
    "StepStarted": '{"step": "flash_data"}',
    "StepFinished": '{"step": "flash_data", "seconds": 1.25}',
    "ClockAccepted": '{"clock": "2026-01-01T00:00:00Z", "last_entry": "2027-01-01T00:00:00Z", "pki": "2026-01-01T00:00:01Z"}',
    "UnitIdentified": '{"uid": "000102030405060708090a0b", "device_id": 1173, "supply_mv": 3300, "probe_firmware": "V3J15M6",'
    ' "programmer_version": "2.19.0"}',
    "RouteChecked": '{"checked": true, "reason": "next: provisioning"}',
    "LaboratoryUnit": "{}",
    "IdentityReserved": '{"serial_number": "SN000001"}',
    "ProcedureChosen": '{"procedure": "provision"}',
    "CoprocessorReady": '{"image": "5e", "fus": "1.2.0.0", "before": "1.23.0.3", "after": "1.24.0.3", "upgraded": true}',
    "FactoryDataWritten": "{}",
    "WriteRepeated": '{"fault": "flash.write_failed"}',
    "CSRReceived": '{"key": "c0"}',
    "CredentialsChosen": '{"key": "c0", "dac_serial_number": "0A"}',
    "CredentialsDelivered": '{"dac_serial_number": "0A"}',
    "CredentialsFound": '{"key": "c0", "dac_serial_number": "0A", "key_storage": "flash"}',
    "Confirmed": "{}",
    "Passed": "{}",
    "Failed": '{"fault": "flash.mismatch", "evidence": {"address": "0x08001000"}}',
    "Voided": '{"fault": "board.removed", "evidence": {}}',
}
LOT_EVENTS = {
    "LotOpened": '{"name": "W1", "work_order": "WO-1", "recipe": "light", "recipe_sha256": "5e", "planned": 3, "pattern": "W{:04d}",'
    ' "first": 1, "size": 4}',
    "LotPaused": '{"name": "W1"}',
    "LotResumed": '{"name": "W1"}',
    "LotClosed": '{"name": "W1"}',
}
FACTS = {
    "AttemptBegun": (
        "attempt",
        "slot",
        "probe",
        "tty",
        "recipe",
        "recipe_sha256",
        "release",
        "lot",
        "version",
        "commit",
    ),
    "AttemptEnded": (
        "attempt",
        "uid",
        "slot",
        "verdict",
        "fault",
        "started_at",
        "seconds",
        "lot",
        "release",
        "laboratory",
        "first",
    ),
    "IdentityTaken": ("uid", "lot", "index", "serial_number", "sealed"),
    "IdentityAdvanced": ("uid", "lot", "index", "rank"),
    "RequestSubmitted": ("request", "key", "uid"),
    "RequestAnswered": ("request", "reason"),
    "CertificateIssued": ("request", "key", "uid", "dac_serial_number", "dac", "pai"),
    "IntermediateSeen": ("pai", "content"),
    "BlockReceived": ("lot", "number", "release", "request"),
    "BlockGivenBack": ("lot", "number"),
    "UnitAdopted": ("uid", "lot", "index", "epoch", "began_at"),
    "IncarnationBegun": ("incarnation", "ledger", "version"),
    "Checkpoint": ("upto", "head", "signature"),
}
RANKS = {"SEEN": 0, "TAKEN": 1, "ON_BOARD": 2, "CERTIFIED": 3, "PASSED": 4, "SCRAPPED": 5}
PROCEDURES = {
    "provision",
    "redeliver",
    "resume",
    "provision_in_ram",
    "redeliver_in_ram",
    "resume_in_ram",
    "reconfirm",
    "provision_by_partner",
    "finish",
    "reconfigure",
}
PHASES = {
    "started",
    "recognise",
    "coprocessor",
    "flash_data",
    "flash_provisioner",
    "await_csr",
    "relay_to_pki",
    "deliver",
    "flash_operational",
    "confirm",
    "lock",
    "passed",
    "failed",
    "void",
}
STATES = {"reserved", "on_board", "certified", "confirmed", "passed", "burned", "released"}
DEEDS = {"hold", "release", "drain"}
FAULTS = {
    "mes.not_routed",
    "mes.unavailable",
    "mes.backlog",
    "pki.answer_lost",
    "pki.answers_lost",
    "pki.pending",
    "pki.parked",
    "station.stopped",  # not a fault, but written where a fault's code is
    "target.not_found",
    "target.wrong_part",
    "target.locked",
    "target.refused",
    "flash.mismatch",
    "flash.write_failed",
    "flash.erase_failed",
    "flash.read_failed",
    "board.silent",
    "board.refused",
    "board.answer_invalid",
    "csr.invalid",
    "pki.csr_rejected",
    "board.key_changed",
    "board.certificate_unfit",
    "board.key_shared",
    "board.possession_unproven",
    "readback.invalid",
    "readback.differs",
    "readback.refused",
    "readback.verifier",
    "readback.private_key_exposed",
    "operational.silent",
    "operational.identity",
    "lock.unproven",
    "coprocessor.fus_not_ready",
    "coprocessor.fus_outdated",
    "coprocessor.stack_unproven",
    "coprocessor.stack_not_started",
    "coprocessor.stack_unseen",
    "coprocessor.boot_not_restored",
    "monitor.data_missing",
    "monitor.buffer_too_small",
    "monitor.parameter_wrong",
    "monitor.storage_failed",
    "monitor.code_unknown",
    "monitor.silent",
    "partner.refused",
    "partner.stuck",
    "board.removed",
    "board.asleep",
    "board.unpowered",
    "board.swapped",
    "board.exchanged",
    "unit.elsewhere",
    "unit.forgotten",
    "unit.quarantined",
    "unit.scrapped",
    "probe.wrong",
    "probe.missing",
    "probe.busy",
    "probe.wedged",
    "probe.outdated",
    "target.not_reset",
    "probe.duplicate",
    "probe.unidentified",
    "programmer.stuck",
    "programmer.failed",
    "programmer.unproven",
    "tty.unavailable",
    "tty.lost",
    "partner.failed",
    "station.bug",
    "slot.suspected",
    "slot.held",
    "programmer.missing",
    "programmer.loader_missing",
    "line.suspected",
    "unit.twice",
    "partner.unusable",
    "station.secret_files",
    "station.resources",
    "station.clock",
    "factory_data.invalid",
    "recipe.key_storage",
    "coprocessor.image_refused",
    "lot.exhausted",
    "lot.full",
    "lot.not_open",
    "lot.recipe_changed",
    "samples.due",
    "sample.uncertified",
    "lot.overlap",
    "pki.unavailable",
    "pki.refused_station",
    "pki.forbidden",
    "pki.address_wrong",
    "pki.protocol_wrong",
    "pki.untrusted",
    "pki.answer_invalid",
    "pki.file_unusable",
    "pki.authorities_invalid",
    "pki.authority_wrong",
    "pki.credentials_invalid",
    "trust.pai_revoked",
    "cd.invalid",
    "label.code_invalid",
    "label.printer_not_ready",
    "trust.unreadable",
    "slot.taken",
    "ledger.unavailable",
    "ledger.moved",
    "ledger.rolled_back",
    "ledger.lost",
    "ledger.damaged",
    "unit.answer_elsewhere",
    "lease.exhausted",
    "recipe.not_approved",
    "ledger.fenced",
    "ledger.forked",
    "shared.refused",
    "shared.awaited",
}


def test_events_have_the_names_and_keys_that_they_always_had() -> None:
    now = {name: event.on_disk.keys for name, event in events.TYPES.items()}
    assert now == {name: tuple(json.loads(body)) for name, body in EVENTS.items()}, FROZEN


def test_facts_have_the_names_and_keys_that_they_always_had() -> None:
    assert {name: fact.on_disk.keys for name, fact in chain.TYPES.items()} == FACTS, FROZEN
    assert {rank.name: rank.value for rank in Rank} == RANKS, FROZEN
    assert {state.name: state.value for state in PairState} == {
        "CANDIDATE": "open",
        "OURS": "ours",
        "USED": "used",
        "BURNED": "gone",
    }, FROZEN
    assert {why.value for why in Stopped} == {"fenced", "forked"}, FROZEN


def test_no_fact_has_an_events_name() -> None:
    """A line says by its type alone what it is."""
    assert not chain.TYPES.keys() & events.TYPES.keys()


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_is_read_and_written_again_as_it_was(name: str) -> None:
    body = json.loads(EVENTS[name])
    event = events.event(name, body)
    assert event.on_disk.name == name
    assert events.body(event) == body


def test_decisions_about_units_have_the_names_that_they_always_had() -> None:
    assert {event.on_disk.name: event.on_disk.keys for event in get_args(UnitEvent)} == {
        "UnitQuarantined": ("attempt", "fault"),
        "UnitReleased": ("attempt",),
        "UnitScrapped": (),
    }, FROZEN
    assert {kind.value for kind in OrphanKind} == {"unknown", "refused", "surplus", "scrapped"}, FROZEN


def test_events_of_samples_have_the_names_and_keys_that_they_always_had() -> None:
    assert {event.on_disk.name: event.on_disk.keys for event in get_args(SampleEvent)} == {
        "SampleAdded": ("verdict", "fault"),
        "SampleRemoved": (),
        "SampleChecked": ("attempt", "verdict", "fault", "good"),
        "SamplesDue": ("why",),
        "SamplesMet": ("recipe", "images", "programmer", "probes"),
    }, FROZEN


def test_events_of_lots_have_the_names_and_keys_that_they_always_had() -> None:
    assert {name: event.on_disk.keys for name, event in lots.TYPES.items()} == {
        name: tuple(json.loads(body)) for name, body in LOT_EVENTS.items()
    }, FROZEN
    assert {state.value for state in LotState} == {"open", "paused", "closed"}, FROZEN


@pytest.mark.parametrize("name", LOT_EVENTS)
def test_an_event_of_a_lot_is_read_and_written_again_as_it_was(name: str) -> None:
    body = json.loads(LOT_EVENTS[name])
    assert lots.body(lots.event(name, body)) == body


def test_a_verdict_without_evidence_is_read() -> None:
    assert events.body(events.event("Failed", {"fault": "flash.mismatch"})) == {
        "fault": "flash.mismatch",
        "evidence": {},
    }


def test_every_field_of_an_event_has_a_key() -> None:
    for event in events.TYPES.values():
        assert len(event.on_disk.keys) == len(fields(event)), event.on_disk.name


def test_procedures_have_the_names_that_they_always_had() -> None:
    assert {name.value for name in ProcedureName} == PROCEDURES, FROZEN


def test_each_procedure_that_a_slot_chooses_has_a_name_of_its_own() -> None:
    assert sorted([*NAMES.values(), ProcedureName.RECONFIGURE]) == sorted(ProcedureName)


def test_phases_and_verdicts_have_the_names_that_they_always_had() -> None:
    assert {phase.value for phase in Phase} == PHASES, FROZEN
    assert {phase.value: verdict for phase, verdict in VERDICTS.items()} == {
        "passed": "pass",
        "failed": "fail",
        "void": "void",
    }, FROZEN


def test_identities_and_keys_have_the_states_and_places_that_they_always_had() -> None:
    assert {state.value for state in IdentityState} == STATES, FROZEN
    assert {place.value for place in KeyStorage} == {"flash", "secure"}, FROZEN


def test_deeds_on_secrets_have_the_names_that_they_always_had() -> None:
    assert {act.value for act in Act} == {"show", "export", "forget", "rotate"}, FROZEN


def test_events_of_labels_have_the_names_that_they_always_had() -> None:
    assert {event.value for event in LabelEvent} == {
        "LabelPrintStarted",
        "LabelPrinted",
        "LabelPrintUnproven",
        "LabelBound",
        "LabelMismatched",
    }, FROZEN
    assert {reason.value for reason in PrintReason} == {"first", "damaged", "jam", "lost", "test"}, FROZEN


def test_deeds_have_the_names_that_they_always_had() -> None:
    assert {deed.value for deed in Deed} == DEEDS, FROZEN


def test_faults_have_the_codes_that_they_always_had() -> None:
    codes = [STATION_STOPPED, *(fault.code for fault in catalogue())]
    assert len(codes) == len(set(codes)), "two faults have one code"
    assert set(codes) == FAULTS, FROZEN
