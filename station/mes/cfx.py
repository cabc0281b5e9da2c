# SPDX-License-Identifier: Apache-2.0
"""The same as IPC-CFX (IPC-2591) envelopes, for a gateway that speaks AMQP for the station. Pure."""

import json
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote
from uuid import NAMESPACE_URL, UUID, uuid5

from station.domain.attempt import (
    CredentialsChosen,
    CredentialsFound,
    Event,
    Failed,
    Passed,
    UnitIdentified,
    Voided,
)
from station.mes.message import Facts, Message, utc

CONTENT_TYPE = "application/json; charset=utf-8"
VERSION = "1.3"
WANTED: frozenset[type[Event]] = frozenset(
    {UnitIdentified, CredentialsChosen, CredentialsFound, Passed, Failed, Voided}
)

WORK_STARTED = "CFX.Production.WorkStarted"
WORK_COMPLETED = "CFX.Production.WorkCompleted"
UNITS_PERSONALIZED = "CFX.Production.Assembly.UnitsPersonalized"
UNITS_TESTED = "CFX.Production.TestAndInspection.UnitsTested"
STATE_CHANGED = "CFX.ResourcePerformance.StationStateChanged"
FAULT_OCCURRED = "CFX.ResourcePerformance.FaultOccurred"
FAULT_CLEARED = "CFX.ResourcePerformance.FaultCleared"
VALIDATE_REQUEST = "CFX.InformationSystem.UnitValidation.ValidateUnitsRequest"
VALIDATE_RESPONSE = "CFX.InformationSystem.UnitValidation.ValidateUnitsResponse"
ROUTE_VALIDATION = "UnitRouteValidation"

# SEMI E10, as CFX names its states.
READY, DOWN = "SBY", "USD"
RESULTS = {"pass": ("Passed", "Completed"), "fail": ("Failed", "Failed"), "void": ("Aborted", "Aborted")}


def transaction(facts: Facts) -> UUID:
    """Names the attempt's transaction: the same for all of its messages, and whenever it is computed."""
    return _named(facts.id)


def messages(facts: Facts, sink: str) -> list[Message]:
    """The messages that an event of an attempt makes. Laboratory units make none, since CFX cannot mark them."""
    if facts.laboratory:
        return []
    match facts.event:
        case UnitIdentified():
            told = [_started(facts)]
        case CredentialsChosen() | CredentialsFound():
            told = [_personalized(facts)]
        case Passed() | Failed() | Voided() if facts.uid is None:  # work has begun, on a board that nobody knows
            told = [_started(facts), _completed(facts)]
        case Passed() | Failed() | Voided():
            told = [_tested(facts), _completed(facts)]
        case _:
            told = []
    return [Message(sink, facts.key, name, json.dumps(body)) for name, body in told]


def line_messages(
    station: str, sink: str, *, before: str | None, now: str | None, reason: str | None, since: datetime, at: datetime
) -> list[Message]:
    """What a change of the line makes: `before` and `now` are the codes of the faults by which it is paused, or None."""
    told: list[tuple[str, dict[str, object]]] = []
    if before is not None:
        cleared: dict[str, object] = {"FaultOccurrenceId": str(_occurrence(station, before, since)), "Operator": None}
        told.append((FAULT_CLEARED, cleared))
    fault = None
    if now is not None:
        fault = {
            "Cause": "MechanicalFailure",  # CFX has no word for a PKI or a ledger; the code says what it is
            "Severity": "Error",
            "FaultCode": now,
            "FaultOccurrenceId": str(_occurrence(station, now, at)),
            "Lane": None,
            "Stage": None,
            "Description": reason,
            "OccurredAt": utc(at),
        }
        told.append((FAULT_OCCURRED, {"Fault": fault}))
    changed: dict[str, object] = {
        "OldState": READY if before is None else DOWN,
        "OldStateDuration": _duration((at - since).total_seconds()),
        "NewState": READY if now is None else DOWN,
        "RelatedFault": fault,
    }
    told.append((STATE_CHANGED, changed))
    unique = f"{station}/{utc(at)}"
    return [Message(sink, "line", name, json.dumps(envelope(station, name, body, at, unique))) for name, body in told]


def envelope(station: str, name: str, body: Mapping[str, object], at: datetime, unique: str) -> dict[str, object]:
    """The envelope of one message; `unique` and the name make its id, so that a repetition has the same."""
    return {
        "MessageName": name,
        "Version": VERSION,
        "TimeStamp": utc(at),
        "UniqueID": str(_named(f"{unique}/{name}")),
        "Source": source(station),
        "Target": None,
        "RequestID": None,
        "MessageBody": body,
    }


def source(station: str) -> str:
    """The station's CFX handle."""
    return f"MatterProvisioning.{station}"


def _started(facts: Facts) -> tuple[str, dict[str, object]]:
    body = {
        "PrimaryIdentifier": facts.uid,
        "HermesIdentifier": None,
        "TransactionID": str(transaction(facts)),
        "Lane": None,
        "UnitCount": 1,
        "Units": _units(facts),
    }
    return WORK_STARTED, _enveloped(facts, WORK_STARTED, body, facts.started_at)


def _personalized(facts: Facts) -> tuple[str, dict[str, object]]:
    known = {"serial number": facts.serial_number, "DAC serial number": facts.dac_serial_number}
    characteristics = [{"Name": name, "Value": value} for name, value in known.items() if value is not None]
    unit = {"UnitIdentifier": facts.uid, "UnitPositionNumber": 1, "Characteristics": characteristics}
    body = {"TransactionId": str(transaction(facts)), "PersonalizedUnits": [unit]}
    return UNITS_PERSONALIZED, _enveloped(facts, UNITS_PERSONALIZED, body, facts.at)


def _tested(facts: Facts) -> tuple[str, dict[str, object]]:
    result = RESULTS[facts.verdict or "void"][0]
    unit = {
        "UnitIdentifier": facts.uid,
        "UnitPositionNumber": 1,
        "OverallResult": result,
        "Tests": [*(_test(name, "Passed", seconds) for name, seconds in facts.steps.items()), *_failed_test(facts)],
    }
    body = {
        "TransactionId": str(transaction(facts)),
        "TestMethod": "Automated",
        "SamplingInformation": None,
        "Tester": None,
        "TestedUnits": [unit],
    }
    return UNITS_TESTED, _enveloped(facts, UNITS_TESTED, body, facts.at)


def _failed_test(facts: Facts) -> list[dict[str, object]]:
    """The step in which a unit that did not pass ended: the only one that has no time of its own."""
    match facts.event:
        case Failed(fault, evidence) | Voided(fault, evidence):
            result = RESULTS[facts.verdict or "void"][0]
            symptom: dict[str, object] = {
                "SymptomName": fault,
                "SymptomCode": fault,
                "Comments": "; ".join(f"{name}: {value}" for name, value in evidence.items()) or None,
            }
            return [_test(fault, result, 0.0, [symptom])]
        case _:
            return []


def _test(name: str, result: str, seconds: float, symptoms: list[dict[str, object]] | None = None) -> dict[str, object]:
    return {
        "UniqueIdentifier": name,
        "TestName": name,
        "Duration": _duration(seconds),
        "Result": result,
        "SymptomsFound": symptoms or [],
        "Measurements": [],
    }


def _completed(facts: Facts) -> tuple[str, dict[str, object]]:
    body = {"TransactionID": str(transaction(facts)), "Result": RESULTS[facts.verdict or "void"][1]}
    return WORK_COMPLETED, _enveloped(facts, WORK_COMPLETED, body, facts.at)


def _units(facts: Facts) -> list[dict[str, object]]:
    return [] if facts.uid is None else [{"UnitIdentifier": facts.uid, "PositionNumber": 1, "PositionName": facts.slot}]


def _enveloped(facts: Facts, name: str, body: Mapping[str, object], at: datetime) -> dict[str, object]:
    return envelope(facts.station, name, body, at, facts.id)


def _occurrence(station: str, fault: str, at: datetime) -> UUID:
    return _named(f"{station}/{fault}/{utc(at)}")


def _named(name: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"https://matter-provisioning-station/{quote(name)}")


def _duration(seconds: float) -> str:
    """As .NET writes a TimeSpan: `[d.]hh:mm:ss.fff`."""
    whole, part = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"{f'{days}.' if days else ''}{hour:02}:{minute:02}:{second:02}.{part:03}"
