# SPDX-License-Identifier: Apache-2.0
"""The question whether a board belongs to this station now, and its answer. Pure."""

import json
from dataclasses import dataclass
from datetime import datetime

from station.mes import cfx

LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Question:
    """One board, before anything on it is reserved or erased. `serial_number` is None for a board without an identity."""

    station: str
    work_order: str
    product: str
    uid: str
    serial_number: str | None

    def plain(self) -> str:
        """As JSON; without a serial number where there is none."""
        asked = {
            "station": self.station,
            "work_order": self.work_order,
            "product": self.product,
            "uid": self.uid,
            "serial_number": self.serial_number,
        }
        return json.dumps({name: value for name, value in asked.items() if value is not None})

    def as_cfx(self, at: datetime) -> str:
        """As a ValidateUnitsRequest, whose primary identifier is the UID."""
        body = {
            "Validations": [cfx.ROUTE_VALIDATION],
            "PrimaryIdentifier": self.uid,
            "HermesIdentifier": None,
            "Units": [{"UnitIdentifier": self.uid, "PositionNumber": 1}],
            "Lane": None,
        }
        request = cfx.envelope(self.station, cfx.VALIDATE_REQUEST, body, at, f"{self.station}/{self.uid}/{at}")
        return json.dumps(request | {"RequestID": request["UniqueID"]})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the MES says."""

    allowed: bool
    reason: str


class AnswerUnusable(Exception):
    """The MES has not answered the question; the text says why."""


def plain_verdict(text: bytes) -> Verdict:
    """Reads `{allowed, reason}`; raises `AnswerUnusable`."""
    match _object(text):
        case {"allowed": bool(allowed), **rest}:
            return Verdict(allowed, _reason(rest.get("reason")))
    raise AnswerUnusable("its answer has no member allowed that is true or false")


def cfx_verdict(text: bytes) -> Verdict:
    """Reads a ValidateUnitsResponse; raises `AnswerUnusable`."""
    match _object(text):
        case {"MessageName": cfx.VALIDATE_RESPONSE, "MessageBody": {**body}}:
            pass
        case _:
            raise AnswerUnusable(f"its answer is no {cfx.VALIDATE_RESPONSE}")
    match body:
        case {"Result": {"Result": "Success" | 0}, "PrimaryResult": {"Result": result, **rest}}:
            return Verdict(result in {"Passed", 0}, _reason(rest.get("Message")))
    raise AnswerUnusable("it could not validate the unit")


def _object(text: bytes) -> dict[str, object]:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise AnswerUnusable("its answer is not JSON") from exc
    if not isinstance(found, dict):
        raise AnswerUnusable("its answer is no object in JSON")
    return found


def _reason(value: object) -> str:
    return value[:LONGEST_REASON] if isinstance(value, str) else ""
