# SPDX-License-Identifier: Apache-2.0
"""The commands of the control socket about label data. The log never has any of it."""

import base64
from collections.abc import Mapping
from dataclasses import asdict

import structlog

from station.adapters.labels import printers
from station.daemon import control
from station.daemon.label_desk import LabelDesk, parsed
from station.daemon.label_printing import LabelPrinting
from station.daemon.label_scan import LabelScanning, passed_in
from station.daemon.parts import Parts
from station.domain.labelling import PrintReason
from station.faults.line import PrinterNotReady
from station.faults.slot import UnitForgotten
from station.label.drawn import Form
from station.line.slot import Slot

log = structlog.get_logger()


class LabelCommands:
    """Answers from the daemon's ledger and recipe. The account of the client is who sees it, as the ledger records."""

    def __init__(self, parts: Parts, printing: LabelPrinting, slots: Mapping[str, Slot]) -> None:
        self._desk = LabelDesk(parts.ledger, parts.config.ledger, parts.recipe)
        self._printing = printing
        self._scanning = LabelScanning(
            parts.ledger,
            parts.config.ledger,
            parts.recipe,
            lambda: {slot.name: passed_in(slot) for slot in slots.values()},
        )

    @property
    def by_name(self) -> dict[str, control.Command]:
        return {
            "label": self._label,
            "forget": self._forget,
            "labels": self._labels,
            "label_print": self._print,
            "label_scan": self._scan,
            "label_status": self._status,
        }

    async def _label(self, question: Mapping[str, object]) -> control.Answer:
        """One unit's label data; with `form`, its whole label as base64."""
        uid, who = _text(question, "uid"), _text(question, "who")
        if form := _text(question, "form"):
            content = await self._desk.drawn(uid, _form(form), who=who, reason=_text(question, "reason"))
            log.info("label.shown", uid=uid, who=who)
            return {"uid": uid, "content": base64.b64encode(content).decode()}
        data = await self._desk.label(uid, who=who, reason=_text(question, "reason"))
        log.info("label.shown", uid=data.uid, who=who)
        return asdict(data)

    async def _print(self, question: Mapping[str, object]) -> control.Answer:
        """Prints a label. `engineer` is whether the limit of prints does not hold for who asks."""
        uid, who = _text(question, "uid"), _text(question, "who")
        try:
            reason = PrintReason(_text(question, "reason"))
        except ValueError as exc:
            raise control.CommandRefused(f"give one of the reasons {', '.join(PrintReason)}") from exc
        try:
            done = await self._printing.print(parsed(uid), reason, who=who, engineer=question.get("engineer") is True)
        except (PrinterNotReady, UnitForgotten) as exc:
            raise control.CommandRefused(str(exc)) from exc
        return {"uid": uid, "copy": done.copy, "unproven": done.trouble}

    async def _scan(self, question: Mapping[str, object]) -> control.Answer:
        """Compares a scanned label with the boards in the slots; with a slot, binds it to the board there."""
        slot = _text(question, "slot") or None
        return asdict(await self._scanning.scan(_text(question, "text"), slot, who=_text(question, "who")))

    async def _status(self, _question: Mapping[str, object]) -> control.Answer:
        """How the printer is, and how many units wait for their first label."""
        plan, trouble = self._printing.plan, self._printing.trouble
        printer = None if plan is None or plan.printer is None else printers.shown(plan.printer)
        return {
            "printer": printer,
            "required": plan is not None and plan.required,
            "waiting": self._printing.waiting,
            "unproven": [{"uid": uid, "copy": copy} for uid, copy in await self._printing.unproven()],
            "fault": None if trouble is None else trouble.code,
            "reason": None if trouble is None else str(trouble),
        }

    async def _forget(self, question: Mapping[str, object]) -> control.Answer:
        """Shreds one unit's secrets."""
        uid, who, reason = _text(question, "uid"), _text(question, "who"), _text(question, "reason")
        forgotten = await self._desk.forget(uid, who=who, reason=reason)
        if forgotten:
            log.info("unit.forgotten", uid=uid, who=who, reason=reason)
        return {"forgotten": forgotten}

    async def _labels(self, question: Mapping[str, object]) -> control.Answer:
        """The label data of a lot, in a file that only its recipient can read."""
        who, lot, recipient = _text(question, "who"), _text(question, "lot"), _text(question, "recipient")
        done = await self._desk.export(lot, recipient, who=who, reason=_text(question, "reason"))
        log.info("labels.exported", lot=lot, units=done.units, recipient=done.recipient, who=who)
        return {"file": str(done.file), "units": done.units, "recipient": done.recipient}


def _form(text: str) -> Form:
    try:
        return Form(text)
    except ValueError as exc:
        raise control.CommandRefused(f"a label has no form {text!a}") from exc


def _text(question: Mapping[str, object], name: str) -> str:
    return str(question.get(name) or "")
