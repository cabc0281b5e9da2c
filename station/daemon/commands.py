# SPDX-License-Identifier: Apache-2.0
"""The commands of the control socket."""

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime

import structlog

from station.adapters.pki.relay import Relay
from station.adapters.system.logs import Log
from station.daemon import control
from station.daemon.andon import Andon
from station.daemon.label_commands import LabelCommands
from station.daemon.label_printing import LabelPrinting
from station.daemon.lease_commands import LeaseCommands
from station.daemon.lot_commands import LotCommands
from station.daemon.outbox_commands import OutboxCommands
from station.daemon.parts import Parts
from station.daemon.pki_commands import PKICommands
from station.daemon.preflight import Preflight
from station.daemon.sample_commands import SampleCommands
from station.daemon.standing_lot import StandingLot
from station.daemon.unit_commands import UnitCommands
from station.domain.intervention import LONGEST_REASON, DecisionRefused, Deed, Intervention, is_one_line
from station.domain.policy import consequence
from station.domain.target import UID
from station.faults import LineFault
from station.faults.line import PKI_FAULTS, ClockContradicted
from station.line.line import Line
from station.line.loop_lag import LoopLag
from station.line.slot import Slot
from station.line.states import InService
from station.line.status import (
    LedgerStatus,
    LineStatus,
    LogStatus,
    PageStatus,
    PKIStatus,
    SlotStatuses,
    Status,
)
from station.web.site import Site

log = structlog.get_logger()

CHECKED_WITHIN, RECORDED_WITHIN = 3.0, 1.0  # seconds; together less than a client of the control socket waits


class Commands:
    """Answers commands from the daemon's parts. The keys of `slots` are physical USB paths."""

    def __init__(
        self,
        parts: Parts,
        line: Line,
        slots: Mapping[str, Slot],
        preflight: Preflight,
        loop_lag: LoopLag,
        logs: Log,
        site: Site | None,
        andon: Andon | None,
        printing: LabelPrinting,
    ) -> None:
        self._parts = parts
        self._line = line
        self._lot = StandingLot(parts.config.ledger, parts.ledger)
        self._slots = slots
        self._statuses = SlotStatuses(slots)
        self._preflight = preflight
        self._loop_lag = loop_lag
        self._logs = logs
        self._site = site
        self._andon = andon
        self._printing = printing
        self._began = time.monotonic()

    @property
    def by_name(self) -> dict[str, control.Command]:
        return {
            "status": self._status,
            "hold": self._hold,
            "release": self._release,
            "fresh": self._fresh,
            **UnitCommands(self._parts.ledger, self._line).by_name,
            **PKICommands(self._parts).by_name,
            **OutboxCommands(self._parts).by_name,
            **LabelCommands(self._parts, self._printing, self._slots).by_name,
            **SampleCommands(self._parts.ledger, self._parts.recipe, self._line).by_name,
            **LotCommands(self._parts.ledger, self._parts.recipe, self._line, self._parts.audit).by_name,
            **LeaseCommands(self._parts.ledger, self._shared_lot).by_name,
            "drain": self._drain,
            "audit_checkpoint": self._parts.audit.asked,
        }

    async def _drain(self, question: Mapping[str, object]) -> control.Answer:
        """Begins no further attempt. The daemon ends once the running ones have their verdicts."""
        by = _deed(question, Deed.DRAIN, None, self._line.stopped_by)
        recorded = await self._recorded(by)
        self._line.drain(by)
        return {"at_work": [slot.name for slot in self._slots.values() if slot.at_work], "recorded": recorded}

    async def _hold(self, question: Mapping[str, object]) -> control.Answer:
        slot = self._named(question.get("slot"))
        by = _deed(question, Deed.HOLD, slot.name, slot.stopped_by)
        recorded = await self._recorded(by)
        slot.hold(by)
        return {"held": slot.name, "recorded": recorded}

    async def _release(self, question: Mapping[str, object]) -> control.Answer:
        """Releases the named slot; without a name, the line and all slots that are out of service."""
        name = question.get("slot")
        whole = None if name is not None else _deed(question, Deed.RELEASE, None, self._line.stopped_by)
        slots = [self._named(name)] if name is not None else self._out_of_service
        deeds = {slot: _deed(question, Deed.RELEASE, slot.name, slot.stopped_by) for slot in slots}
        if whole is not None:
            self._accept_clock()
            await self._forgive_pki()
        recorded = await self._recorded(*([whole] if whole else []), *deeds.values())
        if whole is not None:
            self._line.release(whole, await self._remaining_cause())
        for slot, by in deeds.items():
            slot.release(by)
        line = LineStatus.of(self._line).model_dump()
        return {"released": [slot.name for slot in slots], "line": line, "recorded": recorded}

    async def _forgive_pki(self) -> None:
        """If the ledger cannot be written now, the pause for which the PKI has asked counts again after a restart."""
        if not isinstance(self._parts.relay, Relay):
            return
        try:
            async with asyncio.timeout(RECORDED_WITHIN):
                await self._parts.relay.forgive()
        except (TimeoutError, LineFault):
            return

    @property
    def _out_of_service(self) -> list[Slot]:
        """The slots that are out of service or on trial."""
        return [slot for slot in self._slots.values() if not isinstance(slot.service, InService)]

    async def _recorded(self, *deeds: Intervention) -> bool:
        """Records what a person is about to do. A ledger that waits for its disk does not keep the person from it: it records later.

        Returns whether the record is durable already.
        """
        try:
            async with asyncio.timeout(RECORDED_WITHIN):
                await self._parts.ledger.record_interventions(deeds)
        except (TimeoutError, LineFault):
            return False
        return True

    async def _remaining_cause(self) -> LineFault | None:
        """The fault that still prevents work, which no release mends; if the check takes too long, one that mends itself stays."""
        if self._line.paused_by is None or self._parts.ledger.trouble is not None:
            return self._parts.ledger.trouble
        try:
            async with asyncio.timeout(CHECKED_WITHIN):
                await self._preflight.check()
        except LineFault as fault:
            return fault
        except TimeoutError:
            return self._line.paused_by if consequence(self._line.paused_by).mends_itself else None
        return self._parts.ledger.trouble

    def _accept_clock(self) -> None:
        """Releasing a line that is paused by its clock confirms the clock; a PKI, if there is one, must confirm it, too."""
        if not isinstance(self._line.paused_by, ClockContradicted):
            return
        try:
            self._parts.clock.accept(pki_needed=isinstance(self._parts.relay, Relay))
        except ClockContradicted as fault:
            raise control.CommandRefused(f"the line stays paused: {fault}") from fault

    async def _fresh(self, question: Mapping[str, object]) -> control.Answer:
        """Lets a board with a key from elsewhere be provisioned as a new one, unless another obstacle remains."""
        account, reason = str(question["who"]), str(question.get("reason", ""))
        try:
            uid = UID.parse(str(question.get("uid", "")))
            await self._parts.ledger.release_unit(uid, account=account, reason=reason)
        except (ValueError, DecisionRefused) as exc:
            raise control.CommandRefused(str(exc)) from exc
        log.info("unit.released", uid=str(uid), account=account, reason=reason)
        return {"released": str(uid)}

    def _named(self, name: object) -> Slot:
        for slot in self._slots.values():
            if slot.name == name:
                return slot
        raise control.SubjectUnknown(
            f"there is no slot {name}; there are {', '.join(s.name for s in self._slots.values())}"
        )

    @property
    def _page(self) -> PageStatus | None:
        site = self._site
        if site is None:
            return None
        days = None if site.certificate is None else site.certificate.days
        return PageStatus(url=site.url, listeners=site.hub.listeners, reason=site.reason, certificate_days=days)

    async def _status(self, _question: object) -> control.Answer:
        return await self.status()

    def _shared_lot(self) -> str | None:
        """The lot that this station holds numbers of for the line."""
        return self._parts.shared.seen.lot if self._parts.shared is not None else None

    async def status(self) -> Status:
        """All that the daemon says about itself and the line."""
        paused_by, pki = self._line.paused_by, self._parts.config.pki
        answered = self._preflight.pki_answered_seconds_ago
        relay, provider = self._parts.relay, self._parts.pki
        return Status(
            station=self._parts.config.station.name,
            pid=os.getpid(),
            seconds=round(time.monotonic() - self._began, 1),
            recipe=self._parts.recipe.name,
            line=LineStatus.of(self._line),
            pki=PKIStatus(
                url=pki.place if pki else "none",
                answered_seconds_ago=None if answered is None else round(answered, 1),
                fault=paused_by.code if isinstance(paused_by, PKI_FAULTS) else None,
                outage=pki.outage if pki else None,
                waits_seconds=round(relay.waits_seconds, 1) if isinstance(relay, Relay) else 0.0,
                certificate_days=provider.certificate_days if provider else None,
            ),
            ledger=LedgerStatus.model_validate(self._parts.ledger.status),
            transcripts_lost=self._parts.transcripts.lost,
            log=[LogStatus(**asdict(sink)) for sink in self._logs.status],
            loop_lag=self._loop_lag.status,
            mes=self._parts.mes.status,
            shared=self._parts.shared.status if self._parts.shared is not None else None,
            page=self._page,
            andon=self._andon.status if self._andon is not None else None,
            lot=await self._lot.status(),
            slots=self._statuses.now(),
        )


def _deed(question: Mapping[str, object], deed: Deed, slot: str | None, fault: str | None) -> Intervention:
    """What the person asks for. Refuses a reason that is no single line."""
    reason = str(question.get("reason") or "").strip()
    if not is_one_line(reason, LONGEST_REASON):
        raise control.CommandRefused(f"the reason must be one line of at most {LONGEST_REASON} characters")
    return Intervention(datetime.now(UTC), str(question["who"]), deed, slot, fault, reason)
