# SPDX-License-Identifier: Apache-2.0
"""What a board's stream has told, and whether a beat vouches for it: `assets/board.js` for a terminal. Pure: the caller has the clock.

Without a beat nothing is known, whatever the stream told before: `face` then has no state, and so no colour.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pydantic import TypeAdapter

from station.web.event_reader import Event
from station.web.models import Board, Last, Late, Line, Lot, Planned, Plans, Slot, Stock

SILENT_AFTER = 3.0  # seconds without a beat
STATES = ("empty", "waiting", "pending", "running", "pass", "fail", "void", "out")
HANDS = ("pass", "fail", "void", "out")  # the states in which somebody is to come
FAULTY = frozenset({"fail", "void", "out", "pending"})
TAKEN_FOR = 20.0  # seconds for which a slot remembers the board that was pulled out
FULL = 0.97  # of a step: the rest is shown when the line says that the step is over
SLOW_TIMES, SLOW_SECONDS = 2, 3.0
_PLANS = TypeAdapter(Plans)


@dataclass(frozen=True, slots=True)
class Known:
    """The board as the last event left it."""

    board: Board | None = None
    slots: Mapping[str, Slot] = field(default_factory=dict)
    told_at: Mapping[str, float] = field(default_factory=dict)
    """When each slot was told."""
    line_at: float = 0.0
    """Since when the line has been as it is."""
    beat_at: float | None = None
    lost: str | None = None
    """Why the stream ended last; None before its first end."""
    lost_at: float | None = None
    version: str | None = None
    """Of the first board."""

    def live(self, now: float) -> bool:
        """Whether a beat after the board vouches for it."""
        return self.beat_at is not None and 0 <= now - self.beat_at < SILENT_AFTER

    def reason(self, now: float) -> str | None:
        """Why nothing is known; None while something is, and before the first answer."""
        if self.live(now):
            return None
        return self.lost if self.beat_at is None else f"no beat for {SILENT_AFTER:.0f} s"

    def since(self, now: float) -> float | None:
        """The seconds for which nothing has been known, if something was known before."""
        from_beat = None if self.beat_at is None else self.beat_at + SILENT_AFTER
        begin = self.lost_at if from_beat is None else from_beat
        return None if begin is None or self.live(now) else max(0.0, now - begin)

    @property
    def outdated(self) -> bool:
        """Whether the board comes from another version of the station than the first one did."""
        return self.board is not None and self.board.version != self.version


def after(known: Known, event: Event, now: float) -> Known:
    """What is known after one more event. Raises `ValueError` for an event that no station sends."""
    if event.name == "snapshot":
        board = Board.model_validate_json(event.data)
        slots = {slot.slot: slot for slot in board.slots}
        told_at, version = dict.fromkeys(slots, now), known.version or board.version
        return Known(board, slots, told_at, now, None, known.lost, known.lost_at, version)
    if known.board is None:
        return known  # nothing to add to, and nothing to vouch for: a snapshot comes first
    if event.name == "beat":
        return replace(known, beat_at=now)
    if event.name == "slot":
        slot = Slot.model_validate_json(event.data)
        return replace(known, slots={**known.slots, slot.slot: slot}, told_at={**known.told_at, slot.slot: now})
    changed = _changed(event)
    line, before = changed.get("line"), known.board.line
    other = isinstance(line, Line) and (line.state, line.fault) != (before.state, before.fault)
    board = known.board.model_copy(update=changed)
    return replace(known, board=board, line_at=now if other else known.line_at)


def _changed(event: Event) -> dict[str, object]:  # noqa: PLR0911  a case an event
    """What the event says of the board besides its slots; nothing for an event of a newer station."""
    match event.name:
        case "line":
            return {"line": Line.model_validate_json(event.data)}
        case "lot":
            return {"lot": Lot.model_validate_json(event.data) if json.loads(event.data) else None}
        case "last":
            return {"last": Last.model_validate_json(event.data)}
        case "plans":
            return {"plans": _PLANS.validate_json(event.data)}
        case "mes":
            return {"mes": Late.model_validate_json(event.data).late}
        case "shared":
            return {"shared": Stock.model_validate_json(event.data)}
        case _:
            return {}


def without(known: Known, reason: str, now: float) -> Known:
    """What is known after the stream has ended: nothing, until a beat comes."""
    lost_at = now if known.beat_at is not None else known.lost_at
    return replace(known, beat_at=None, lost=reason, lost_at=lost_at)


@dataclass(frozen=True, slots=True)
class Face:
    """What a slot's tile shows."""

    state: str = "unknown"
    act: str | None = None
    fault: str | None = None
    taken: str | None = None
    """The verdict of the board that was pulled out."""
    taken_fault: str | None = None
    inside: str | None = None
    """The verdict of the board that waits in a slot out of service."""
    trial: bool = False


def face(known: Known, name: str, now: float) -> Face:
    if not known.live(now) or known.board is None:
        return Face()
    slot, line = known.slots[name], known.board.line
    state = "out" if slot.state == "out of service" else slot.state
    if state not in STATES:
        return Face()
    faulty = state in FAULTY
    taken = slot.taken if state == "empty" else None
    if taken is not None and taken.seconds + now - known.told_at[name] >= TAKEN_FOR:
        taken = None
    return Face(
        state,
        (taken.act if taken else None) or _act(slot, state, line),
        slot.fault if faulty else None,
        taken.verdict if taken else None,
        taken.fault if taken else None,
        slot.verdict if state == "out" else None,
        slot.service == "trial",
    )


def _act(slot: Slot, state: str, line: Line) -> str | None:
    """What is to be done at the slot. A line that ends wants nothing of an idle slot."""
    if state in {"empty", "waiting"}:
        idle = "plug" if state == "empty" else "wait"
        return {"open": idle, "paused": line.act or "wait"}.get(line.state)
    usual = {"running": "leave", "pass": "take"}.get(state)
    return usual or slot.act or ("again" if state == "void" else "engineer")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running attempt is."""

    done: float = 0.0
    """The share of its seconds, from 0 to 1."""
    left: int | None = None
    """Seconds, or None where nobody can tell."""
    slow: bool = False


def progress(known: Known, name: str, now: float) -> Progress:
    slot = known.slots[name]
    plan: list[Planned] = known.board.plans.get(slot.procedure or "provision", []) if known.board else []
    here = next((index for index, planned in enumerate(plan) if planned.step == slot.step), None)
    if here is None:
        return Progress()
    whole = sum(planned.seconds for planned in plan) or 1.0
    spent = slot.step_seconds + now - known.told_at[name]
    expected = plan[here].seconds
    done = sum(planned.seconds for planned in plan[:here]) + expected * FULL * min(1.0, spent / (expected or 0.001))
    rest = sum(planned.seconds for planned in plan[here + 1 :]) + max(0.0, expected - spent)
    return Progress(done / whole, max(1, math.ceil(rest)), spent > SLOW_TIMES * expected + SLOW_SECONDS)


def hands(known: Known, now: float) -> dict[str, int]:
    """How many slots want somebody's hands, by state."""
    states = [face(known, name, now).state for name in known.slots]
    return {state: states.count(state) for state in HANDS}
