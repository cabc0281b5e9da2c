# SPDX-License-Identifier: Apache-2.0
"""The lines that the program of `[andon]` gets: what the page shows, as one JSON object, and a beat. Pure."""

import json
from collections.abc import Mapping

from station.line.states import SlotState
from station.web.models import Line

SCHEMA = 1
HANDS = (SlotState.PASS, SlotState.FAIL, SlotState.VOID, SlotState.OUT_OF_SERVICE)
"""The states in which somebody is to come, as on the page (`HANDS` in assets/board.js)."""


def state_line(station: str, line: Line, slots: Mapping[str, str]) -> bytes:
    """The whole state; `slots` are the states of the slots, in their order."""
    shown = list(slots.values())
    return _line(
        {
            "event": "state",
            "schema": SCHEMA,
            "station": station,
            "line": {"state": line.state, "fault": line.fault, "act": line.act},
            "hands": {state.value: shown.count(state.value) for state in HANDS},
            "slots": dict(slots),
        }
    )


def beat_line() -> bytes:
    """The line is looked at: what was told last is true now."""
    return _line({"event": "beat"})


def _line(values: dict[str, object]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"
