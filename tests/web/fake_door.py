# SPDX-License-Identifier: Apache-2.0
"""A daemon that is only its door: a line in any state that a test asks for."""

from collections.abc import Mapping, Sequence
from itertools import count

from station.domain.attempt import Phase
from station.domain.labelling import LabelStage
from station.faults.line import LedgerUnavailable
from station.web.catalogue import ENTRIES
from station.web.door import About
from station.web.hub import FIRST_PLAN
from station.web.models import NO_STOCK, Health, Line, Lot, Plans, Slot, Stock, Taken

OPEN = Line(state="open", fault=None, reason=None, act=None, sentence=None)
UID = "d89235c45151353434393536"


def slot(
    name: str,
    state: str = "empty",
    fault: str | None = None,
    *,
    service: str = "in",
    step: str | None = None,
    seconds: float = 0.0,
    attempt: int | None = None,
    taken: Taken | None = None,
    place: tuple[int, int] | None = None,
    uid: str | None = UID,
    steps: Mapping[str, float] | None = None,
    evidence: str | None = None,
) -> Slot:
    """A slot as the door shows it."""
    entry = ENTRIES[fault] if fault else None
    judged = "void" if state == "out of service" and fault != "slot.held" else state
    verdict = judged if judged in {"pass", "fail", "void"} else None
    return Slot(
        slot=name,
        state=state,
        service=service,
        path=f"usb-0:1.{name}",
        probe=None if state == "empty" else "0662BC803B62B77B674346AD",
        tty=None,
        attempt=attempt,
        step=step,
        verdict=verdict,
        uid=None if state == "empty" else uid,
        fault=fault,
        reason=(f"{entry.sentence} ({evidence})" if evidence else entry.sentence) if entry else None,
        held=None,
        seconds=seconds,
        steps=dict(steps or {}),
        procedure="provision" if step else None,
        step_seconds=seconds,
        act=entry.act.value if entry else None,
        sentence=entry.sentence if entry else None,
        taken=taken,
        place=place,
    )


def labelled(slot: Slot, label: str, serial: str = "SN000001") -> Slot:
    """A unit that has passed, with its label in this state."""
    return slot.model_copy(update={"label": LabelStage(label).value, "serial": serial})


ACTS = {"pass": "take", "fail": "reject", "void": "again"}


def running(name: str, step: Phase = Phase.FLASH_OPERATIONAL, seconds: float = 3.0, uid: str = UID) -> Slot:
    return slot(name, "running", step=step.value, seconds=seconds, attempt=40, uid=uid, steps=before(step))


def before(step: Phase | None) -> Mapping[str, float]:
    """The steps of a whole attempt, or those before a step, with the seconds that each has taken."""
    plan = FIRST_PLAN["provision"]
    names = [each.step for each in plan]
    return {each.step: each.seconds for each in plan[: names.index(step) if step else None]}


def pulled(name: str, verdict: str, fault: str | None = None) -> Slot:
    """An empty slot whose last board was pulled out just now."""
    return slot(name, taken=Taken(verdict=verdict, fault=fault, act=ACTS[verdict], attempt=7, uid=UID, seconds=1.0))


def paused(fault: str) -> Line:
    entry = ENTRIES[fault]
    return Line(state="paused", fault=fault, reason=entry.sentence, act=entry.act.value, sentence=entry.sentence)


class FakeDoor:
    """`web.door.Door`, whose line a test changes by hand."""

    def __init__(self, slots: Sequence[Slot] = (), *, language: str = "en", columns: int | None = None) -> None:
        self.about = About(
            station="line-1", recipe="lighting", product="STM32WB Demo App", language=language, columns=columns
        )
        self.state = OPEN
        self.counts: Lot | None = Lot(name="LIGHTING-2026", work_order=None, planned=None, passed=1009, failed=23)
        self.learned: Plans = {}
        self.late: int | None = None
        self.stock = NO_STOCK
        self.ledger_is_lost = False
        self.broken = False
        self.looks = 0
        self._numbers = count(1)
        self._slots: dict[str, tuple[int, Slot]] = {}
        for each in slots:
            self.put(each)

    def put(self, slot: Slot) -> None:
        """From now on the slot is like this."""
        self._slots[slot.slot] = next(self._numbers), slot

    def line(self) -> Line:
        if self.broken:
            raise ZeroDivisionError("a bug, for once on purpose")
        return self.state

    def marks(self) -> Mapping[str, object]:
        self.looks += 1
        return {name: number for name, (number, _) in self._slots.items()}

    def slot(self, name: str) -> Slot:
        return self._slots[name][1]

    def mes(self) -> int | None:
        return self.late

    def shared(self) -> Stock:
        return self.stock

    def ready(self) -> Health:
        return Health(ok=self.state == OPEN, checks={"line": self.state.fault or "ok"})

    async def lot(self) -> Lot | None:
        if self.ledger_is_lost:
            raise LedgerUnavailable("the disk is full")
        return self.counts

    async def plans(self) -> Plans:
        if self.ledger_is_lost:
            raise LedgerUnavailable("the disk is full")
        return self.learned or FIRST_PLAN


FAULTS = {
    "fail": ("target.not_found", "readback.verifier", "flash.mismatch", "board.silent"),
    "void": ("board.unpowered", "board.removed", "tty.lost"),
    "out of service": ("slot.held", "probe.wedged", "slot.suspected"),
    "pending": ("pki.pending",),
}
MIXED = (
    "running",
    "pass",
    "running",
    "fail",
    "waiting",
    "running",
    "void",
    "empty",
    "out of service",
    "pass",
    "taken",
    "pending",
)


def mixed(number: int) -> list[Slot]:
    """So many slots, in all states."""
    return [_nth(at, name=str(at + 1)) for at in range(number)]


def _nth(at: int, name: str) -> Slot:
    state, uid = MIXED[at % len(MIXED)], f"{UID[:-2]}{at:02x}"
    if state == "running":
        planned = [each.step for each in FIRST_PLAN["provision"]]
        return running(name, Phase(planned[(at * 3) % len(planned)]), 0.5, uid)
    if state == "taken":
        return pulled(name, ("pass", "fail", "void")[at // len(MIXED) % 3])
    faults = FAULTS.get(state)
    fault = faults[at % len(faults)] if faults else None
    service = "out" if state == "out of service" else "trial" if state == "waiting" else "in"
    over = {"pass": before(None), "fail": before(Phase.DELIVER)}.get(state)
    evidence = "question make_csr, within 10.0" if state == "fail" else None
    return slot(name, state, fault, service=service, attempt=at, uid=uid, steps=over, evidence=evidence)
