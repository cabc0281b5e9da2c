# SPDX-License-Identifier: Apache-2.0
"""The commands of the control socket about label data. The log never has any of it."""

import base64
from collections.abc import Mapping
from dataclasses import asdict

import structlog

from station.daemon import control
from station.daemon.label_desk import LabelDesk
from station.daemon.parts import Parts
from station.label.drawn import Form

log = structlog.get_logger()


class LabelCommands:
    """Answers from the daemon's ledger and recipe. The account of the client is who sees it, as the ledger records."""

    def __init__(self, parts: Parts) -> None:
        self._desk = LabelDesk(parts.ledger, parts.config.ledger, parts.recipe)

    @property
    def by_name(self) -> dict[str, control.Command]:
        return {"label": self._label, "forget": self._forget, "labels": self._labels}

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
