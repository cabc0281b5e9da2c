# SPDX-License-Identifier: Apache-2.0
"""CloudEvents and CFX envelopes, field by field."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from station.domain.attempt import CredentialsChosen, Event, Failed, Passed, UnitIdentified, Voided
from station.domain.target import UID
from station.mes import cfx, cloudevents
from station.mes.message import Facts, level

AT = datetime(2026, 11, 26, 8, 15, 30, 250000, tzinfo=UTC)
BOARD = UID(bytes.fromhex("d89235c45151353434393536"))
FACTS = Facts(
    station="line-1",
    incarnation=1,
    attempt=4711,
    slot="3",
    recipe="lighting",
    lot="LOT-1",
    work_order="4711",
    started_at=AT - timedelta(seconds=28.15),
    at=AT,
    event=Passed(),
    uid=str(BOARD),
    serial_number="SN000815",
    dac_serial_number="5F2A",
    verdict="pass",
    fault=None,
    seconds=28.15,
    steps={"recognise": 0.8, "flash_data": 3661.4},
    laboratory=False,
)
FAILED = replace(FACTS, event=Failed("flash.mismatch", {"address": "0x08"}), verdict="fail", fault="flash.mismatch")
VOID = replace(FACTS, event=Voided("board.removed"), verdict="void", fault="board.removed")
IDENTIFIED = replace(FACTS, event=UnitIdentified(BOARD, 0x495, 3300, "V3J15M6", "2.19.0"), verdict=None)


def told(facts: Facts) -> list[dict[str, object]]:
    return [json.loads(message.body) for message in cfx.messages(facts, "webhook")]


def body(envelope: dict[str, object]) -> dict[str, object]:
    found = envelope["MessageBody"]
    assert isinstance(found, dict)
    return found


def test_a_verdict_is_a_cloud_event() -> None:
    [message] = cloudevents.messages(FACTS, "mqtt")
    assert (message.sink, message.key, message.type) == ("mqtt", str(BOARD), "attempt.finished.v1")
    assert json.loads(message.body) == {
        "specversion": "1.0",
        "id": "line-1/4711",
        "source": "/stations/line-1",
        "type": "attempt.finished.v1",
        "subject": str(BOARD),
        "time": "2026-11-26T08:15:30.250Z",
        "datacontenttype": "application/json",
        "data": {
            "station": "line-1",
            "attempt": 4711,
            "slot": "3",
            "recipe": "lighting",
            "lot": "LOT-1",
            "work_order": "4711",
            "uid": str(BOARD),
            "serial_number": "SN000815",
            "dac_serial_number": "5F2A",
            "verdict": "pass",
            "fault": None,
            "started_at": "2026-11-26T08:15:02.100Z",
            "seconds": 28.15,
            "steps": {"recognise": 0.8, "flash_data": 3661.4},
            "laboratory": False,
        },
    }


def test_only_verdicts_are_cloud_events() -> None:
    assert cloudevents.messages(IDENTIFIED, "mqtt") == []


def test_a_restored_ledgers_attempts_have_ids_of_their_own() -> None:
    """The old copy of a ledger counts its attempts from where it was."""
    [message] = cloudevents.messages(replace(FACTS, incarnation=2), "mqtt")
    assert json.loads(message.body)["id"] == "line-1/4711/2"
    assert cfx.transaction(FACTS) != cfx.transaction(replace(FACTS, incarnation=2))


def test_an_attempt_without_a_board_has_a_key_of_its_own() -> None:
    nobody = replace(VOID, uid=None, station="long " * 12 + "name", attempt=10**18)
    assert len(nobody.key) <= 96
    assert nobody.key != replace(nobody, attempt=2).key


def test_each_envelope_has_what_cfx_wants() -> None:
    for facts in (IDENTIFIED, FACTS, FAILED, VOID):
        for envelope in told(facts):
            assert set(envelope) == {
                "MessageName",
                "Version",
                "TimeStamp",
                "UniqueID",
                "Source",
                "Target",
                "RequestID",
                "MessageBody",
            }
            assert envelope["Version"] == "1.3"
            assert UUID(str(envelope["UniqueID"])).version == 5


def test_an_attempts_messages_are_one_transaction() -> None:
    chosen = replace(FACTS, event=CredentialsChosen("c0", "5F2A"), verdict=None)
    envelopes = [envelope for facts in (IDENTIFIED, chosen, FACTS) for envelope in told(facts)]
    names = [str(each["MessageName"]) for each in envelopes]
    assert names == [
        "CFX.Production.WorkStarted",
        "CFX.Production.Assembly.UnitsPersonalized",
        "CFX.Production.TestAndInspection.UnitsTested",
        "CFX.Production.WorkCompleted",
    ]
    bodies = [body(each) for each in envelopes]
    assert {each.get("TransactionID", each.get("TransactionId")) for each in bodies} == {str(cfx.transaction(FACTS))}
    assert len({each["UniqueID"] for each in envelopes}) == 4
    assert envelopes == [envelope for facts in (IDENTIFIED, chosen, FACTS) for envelope in told(facts)], "always alike"
    assert envelopes[0]["TimeStamp"] == "2026-11-26T08:15:02.100Z"
    assert bodies[1]["PersonalizedUnits"] == [
        {
            "UnitIdentifier": str(BOARD),
            "UnitPositionNumber": 1,
            "Characteristics": [
                {"Name": "serial number", "Value": "SN000815"},
                {"Name": "DAC serial number", "Value": "5F2A"},
            ],
        }
    ]


@pytest.mark.parametrize(
    ("facts", "result", "work"),
    [(FACTS, "Passed", "Completed"), (FAILED, "Failed", "Failed"), (VOID, "Aborted", "Aborted")],
)
def test_a_verdict_is_a_test_for_each_step(facts: Facts, result: str, work: str) -> None:
    tested, completed = (body(each) for each in told(facts))
    assert completed["Result"] == work
    units = tested["TestedUnits"]
    assert isinstance(units, list)
    [unit] = units
    assert unit["OverallResult"] == result
    durations = [(test["TestName"], test["Result"], test["Duration"]) for test in unit["Tests"]]
    assert durations[:2] == [("recognise", "Passed", "00:00:00.800"), ("flash_data", "Passed", "01:01:01.400")]
    symptoms = [symptom["SymptomCode"] for test in unit["Tests"] for symptom in test["SymptomsFound"]]
    assert symptoms == ([facts.fault] if facts.fault else [])


def test_laboratory_units_are_not_told_as_production() -> None:
    assert told(replace(FACTS, laboratory=True)) == []


def test_a_line_that_pauses_and_goes_on_is_told_with_one_occurrence() -> None:
    paused = [
        json.loads(each.body)
        for each in cfx.line_messages(
            "line-1",
            "mqtt",
            before=None,
            now="pki.unavailable",
            reason="why",
            since=AT,
            at=AT + timedelta(days=1, seconds=2),
        )
    ]
    later = AT + timedelta(days=2)
    resumed = [
        json.loads(each.body)
        for each in cfx.line_messages(
            "line-1",
            "mqtt",
            before="pki.unavailable",
            now=None,
            reason=None,
            since=AT + timedelta(days=1, seconds=2),
            at=later,
        )
    ]
    names = [each["MessageName"].rsplit(".", 1)[1] for each in (*paused, *resumed)]
    assert names == ["FaultOccurred", "StationStateChanged", "FaultCleared", "StationStateChanged"]
    assert body(paused[1])["OldStateDuration"] == "1.00:00:02.000"
    fault = body(paused[0])["Fault"]
    assert isinstance(fault, dict)
    assert fault["FaultOccurrenceId"] == body(resumed[0])["FaultOccurrenceId"]
    assert (body(resumed[1])["OldState"], body(resumed[1])["NewState"]) == ("USD", "SBY")


@pytest.mark.parametrize("event", [Passed(), Failed("x.y"), Voided("x.y")])
def test_strange_names_stay_json(event: Event) -> None:
    strange = replace(FACTS, station='"\\\n\u2028', lot="\u202e", event=event)
    for make in (cloudevents.messages, cfx.messages):
        for message in make(strange, "mqtt"):
            json.loads(message.body)


def test_half_a_character_in_the_evidence_stays_json() -> None:
    """Text from outside may hold what UTF-8 cannot."""
    for message in cfx.messages(replace(FAILED, event=Failed("x.y", {"text": "\ud800"})), "mqtt"):
        json.loads(message.body.encode())


def test_a_name_is_one_level_of_a_topic() -> None:
    assert level("a/b+c#d%e Süd") == "a%2Fb%2Bc%23d%25e Süd"
