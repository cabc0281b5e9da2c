# SPDX-License-Identifier: Apache-2.0
"""The daemon's status as models: slots, phases, faults, PKI and ledger. It is derived on request, never stored."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, field_serializer, field_validator

from station.domain.attempt import VERDICTS, Attempt, Phase
from station.domain.intervention import Intervention
from station.faults import Fault, SlotFault
from station.line.line import Line
from station.line.loop_lag import LoopLagStatus
from station.line.slot import Slot
from station.line.states import (
    Abandoned,
    Empty,
    InService,
    Judged,
    OnTrial,
    OutOfService,
    Recording,
    Refused,
    Running,
    Service,
    SlotState,
    State,
    Waiting,
)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)

    @field_validator("*")
    @classmethod
    def _encodable(cls, value: object) -> object:
        """A device's name may contain bytes that are not UTF-8, which JSON cannot represent."""
        if not isinstance(value, str) or value.isascii():
            return value
        return value.encode(errors="backslashreplace").decode()


class LineStatus(_Model):
    state: str
    """`open`, `paused` by the fault, or `draining`: no attempt begins any more."""
    fault: str | None
    reason: str | None

    @classmethod
    def of(cls, line: Line) -> "LineStatus":
        fault = line.paused_by
        state = "draining" if line.draining else "open" if fault is None else "paused"
        return cls(state=state, fault=fault.code if fault else None, reason=str(fault) if fault else None)


class PKIStatus(_Model):
    url: str
    answered_seconds_ago: float | None
    fault: str | None
    outage: str | None = None
    """The line's behaviour while the PKI cannot be reached: `hold`, `park` or `stop`; None without a PKI."""
    waits_seconds: float = 0.0
    """For how long the PKI has asked not to be asked."""
    certificate_days: int | None = None
    """Whole days until the station's certificate expires; negative afterwards."""


class LedgerStatus(_Model):
    state: str
    """`open`, `waiting` until the file can be written again, or `closed` for good."""
    path: str
    commits: int
    reason: str | None


class LogStatus(_Model):
    """One sink of the log: lines lost since the start, lines waiting, and the fault that prevents writing now."""

    sink: str
    lost: int
    waiting: int
    fault: str | None


class SinkStatus(_Model):
    """One receiver of the MES, and its outbox."""

    sink: str
    up: bool
    """Whether it answered at the last try."""
    pending: int
    oldest_seconds: float
    """For how long the oldest pending message has waited; 0 if none is pending."""
    dead: int
    """Messages that were given up and that nobody has decided about."""
    died: int
    """Messages that were given up since the daemon's start."""


class MESStatus(_Model):
    """The MES: whether all of it answers, and the messages that wait for it."""

    up: bool
    route_up: bool | None
    """Whether the last question before a board was answered; None where the line does not ask."""
    late: int
    """Messages that were given up, or wait for a quarter of an hour."""
    sinks: list[SinkStatus]


class SharedStatus(_Model):
    """The shared ledger: how this station stands with the centre, and for how long it can go on without."""

    state: str
    """`starting` until the centre has answered, `up`, `away`, `refused`, `fenced` or `forked`."""
    reason: str | None
    """Why the centre is away, refuses the station, or gives it no more items."""
    pushed_at: datetime | None
    """When the centre last took lines of the journal."""
    pushed_seconds_ago: float | None
    lines_waiting: int
    """Lines of the journal that the centre has not."""
    lot: str | None
    """The lot that the items are of."""
    items_left: int
    """Units that may begin without the centre: each needs a serial number and a passcode."""
    items_held: int
    """Items that the station means to hold."""
    release: str = ""
    """The hash of what the line makes, which people approve at the centre."""
    hours_left: float | None
    """For how long the items last at the rate of the busiest hour in seven days; None if there was none."""

    @field_serializer("pushed_at")
    def _as_in_the_ledger(self, at: datetime | None) -> str | None:
        return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class PageStatus(_Model):
    """The operator's page: its address, or the reason why it is not served; and how many browsers show it."""

    url: str | None
    listeners: int
    reason: str | None
    certificate_days: int | None = None
    """Whole days until the page's certificate expires; None without TLS."""


class AndonStatus(_Model):
    """The lamp: whether its program runs, and why it was lost last."""

    up: bool
    reason: str | None


class LotStatus(_Model):
    """The lot for a work order that new units come from, or that came last."""

    lot: str
    work_order: str | None
    state: str
    """`open`, `paused` or `closed`."""
    planned: int
    passed: int
    unbound: int
    """Passed units that are not done, since the recipe requires a label and theirs is not bound."""
    in_work: int
    """Units that have begun and have not passed."""
    units_left: int
    """Units that may still begin."""
    numbers_left: int
    """Serial numbers for them."""
    warning: str | None
    """A sentence while the lot nears its end."""


class HoldStatus(_Model):
    """The person who holds a slot, the moment in UTC, and the reason, which may be empty."""

    who: str
    at: datetime
    reason: str

    @field_serializer("at")
    def _as_in_the_ledger(self, at: datetime) -> str:
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class SlotStatus(_Model):
    """One slot, under the keys that the log uses."""

    slot: str
    state: str
    service: str
    """`in`, `out` of service, or on `trial`: the next board decides."""
    path: str
    probe: str | None
    tty: str | None
    attempt: int | None
    step: str | None
    verdict: str | None
    uid: str | None
    fault: str | None
    reason: str | None
    held: HoldStatus | None
    """None unless a person holds the slot."""
    seconds: float
    steps: dict[str, float]

    @classmethod
    def of(cls, slot: Slot, path: str) -> "SlotStatus":
        arrival, seen = slot.arrival, _seen(slot.state)
        attempt = seen.attempt
        service, out_of_service = _service(slot.service)
        fault = out_of_service or (arrival.refused if arrival else None) or seen.fault
        return cls(
            slot=slot.name,
            state=slot.shown.value,
            service=service,
            path=path,
            probe=arrival.probe if arrival else None,
            tty=arrival.tty if arrival else None,
            attempt=seen.number,
            step=attempt.phase.value if attempt and not attempt.ended else None,
            verdict=seen.verdict,
            uid=str(attempt.uid) if attempt and attempt.uid else None,
            fault=fault.code if fault else None,
            reason=str(fault) if fault else None,
            held=_hold(slot.service),
            seconds=round(seen.seconds, 1),
            steps={phase.value: round(seconds, 3) for phase, seconds in attempt.seconds.items()} if attempt else {},
        )

    def in_step(self) -> float:
        """For how long the step has been running; one that is over counts on until the next begins."""
        if self.step is None:
            return 0.0
        before = sum(seconds for step, seconds in self.steps.items() if step != self.step)
        return max(0.0, round(self.seconds - before, 1))


class SlotStatuses:
    """The statuses of all slots. That of a slot at rest is kept: its state is a value, which is replaced whenever it changes."""

    def __init__(self, slots: Mapping[str, Slot]) -> None:
        """The keys of `slots` are physical USB paths."""
        self._slots = slots
        self._kept: dict[str, tuple[State, Service, SlotState, SlotStatus]] = {}

    def now(self) -> list[SlotStatus]:
        return [self._of(slot, path) for path, slot in self._slots.items()]

    def _of(self, slot: Slot, path: str) -> SlotStatus:
        if slot.at_work:
            return SlotStatus.of(slot, path)
        match self._kept.get(path):
            case state, service, word, status if state is slot.state and service is slot.service and word == slot.shown:
                return status
        status = SlotStatus.of(slot, path)
        self._kept[path] = slot.state, slot.service, slot.shown, status
        return status


class _Seen(NamedTuple):
    """The attempt in a slot's state. Fault and seconds stay after the board has left, until the next attempt begins."""

    seconds: float
    fault: Fault | None = None
    number: int | None = None
    attempt: Attempt | None = None
    verdict: str | None = None


def _seen(state: State) -> _Seen:
    match state:
        case Running(_, journal, began):
            return _Seen(time.monotonic() - began, None, journal.number, journal.attempt)
        case Recording(_, journal, seconds):
            return _Seen(seconds, None, journal.number, journal.attempt)
        case Judged(_, outcome):
            return _Seen(outcome.seconds, outcome.fault, outcome.number, outcome.attempt, outcome.verdict)
        case Abandoned(_, journal, fault, seconds):
            return _Seen(seconds, fault, journal.number, journal.attempt, VERDICTS[Phase.VOID])
        case Empty(last) | Refused(_, last) | Waiting(_, last):
            return _Seen(last.seconds, last.fault) if last else _Seen(0.0)


def _service(service: Service) -> tuple[str, SlotFault | None]:
    match service:
        case InService():
            return "in", None
        case OnTrial(fault):
            return "trial", fault
        case OutOfService(fault):
            return "out", fault


def _hold(service: Service) -> HoldStatus | None:
    match service:
        case OutOfService(_, Intervention() as by):
            return HoldStatus(who=by.who, at=by.at, reason=by.reason)
        case _:
            return None


class Status(_Model):
    """The answer to `station status`."""

    station: str
    pid: int
    seconds: float
    recipe: str
    line: LineStatus
    pki: PKIStatus
    ledger: LedgerStatus
    transcripts_lost: int
    log: list[LogStatus]
    loop_lag: LoopLagStatus
    mes: MESStatus | None = None
    """None where the configuration names none."""
    shared: SharedStatus | None = None
    """None where the configuration has no `[shared]`."""
    page: PageStatus | None = None
    """None where the configuration turns it off."""
    andon: AndonStatus | None = None
    """None where the configuration has none."""
    lot: LotStatus | None = None
    """None unless the ledger has had a work order."""
    slots: list[SlotStatus]
