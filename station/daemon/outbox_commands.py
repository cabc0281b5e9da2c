# SPDX-License-Identifier: Apache-2.0
"""The commands of the control socket about messages for the MES."""

from collections.abc import Mapping
from datetime import UTC, datetime

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from station.daemon import control
from station.daemon.parts import Parts
from station.domain.intervention import Decision, DecisionRefused

log = structlog.get_logger()


class _Question(BaseModel):
    """`messages`: their numbers in the outbox; None means all that were given up."""

    model_config = ConfigDict(extra="ignore")

    who: str
    reason: str
    messages: list[int] | None = Field(default=None, max_length=10_000)


class OutboxCommands:
    """Answers commands from the daemon's ledger and pumps."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @property
    def by_name(self) -> dict[str, control.Command]:
        return {"outbox_retry": self._retry, "outbox_drop": self._drop}

    async def _retry(self, question: Mapping[str, object]) -> control.Answer:
        """Has messages tried again now."""
        asked = _parsed(question)
        try:
            number = await self._parts.ledger.outbox.retry(asked.messages, _decision(asked), datetime.now(UTC))
        except DecisionRefused as exc:
            raise control.CommandRefused(str(exc)) from exc
        log.info("outbox.retried", messages=number, who=asked.who, reason=asked.reason)
        self._parts.mes.soon()
        return {"retried": number}

    async def _drop(self, question: Mapping[str, object]) -> control.Answer:
        """Removes messages that shall never be delivered."""
        asked = _parsed(question)
        try:
            number = await self._parts.ledger.outbox.drop(asked.messages or [], _decision(asked), datetime.now(UTC))
        except DecisionRefused as exc:
            raise control.CommandRefused(str(exc)) from exc
        log.warning("outbox.dropped", messages=number, who=asked.who, reason=asked.reason)
        self._parts.mes.soon()
        return {"dropped": number}


def _decision(asked: _Question) -> Decision:
    return Decision(asked.who, asked.reason)


def _parsed(question: Mapping[str, object]) -> _Question:
    try:
        return _Question.model_validate(question)
    except ValidationError as exc:
        raise control.CommandRefused("; ".join(error["msg"] for error in exc.errors(include_input=False))) from exc
