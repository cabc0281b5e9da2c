# SPDX-License-Identifier: Apache-2.0
"""A verdict as a CloudEvent 1.0 in structured JSON. Pure."""

import json
from urllib.parse import quote

from station.domain.attempt import Event, Failed, Passed, Voided
from station.mes.message import Facts, Message, utc

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
ATTEMPT_FINISHED = "attempt.finished.v1"
WANTED: frozenset[type[Event]] = frozenset({Passed, Failed, Voided})


def messages(facts: Facts, sink: str) -> list[Message]:
    """The one message that a verdict makes; other events make none."""
    if type(facts.event) not in WANTED:
        return []
    event = {
        "specversion": "1.0",
        "id": facts.id,
        "source": f"/stations/{quote(facts.station, safe='')}",
        "type": ATTEMPT_FINISHED,
        "subject": facts.uid or f"attempt {facts.attempt}",
        "time": utc(facts.at),
        "datacontenttype": "application/json",
        "data": {
            "station": facts.station,
            "attempt": facts.attempt,
            "slot": facts.slot,
            "recipe": facts.recipe,
            "lot": facts.lot,
            "work_order": facts.work_order,
            "uid": facts.uid,
            "serial_number": facts.serial_number,
            "dac_serial_number": facts.dac_serial_number,
            "verdict": facts.verdict,
            "fault": facts.fault,
            "started_at": utc(facts.started_at),
            "seconds": round(facts.seconds, 3),
            "steps": dict(facts.steps),
            "laboratory": facts.laboratory,
        },
    }
    return [Message(sink, facts.key, ATTEMPT_FINISHED, json.dumps(event))]
