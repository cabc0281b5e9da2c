# SPDX-License-Identifier: Apache-2.0
"""Questions of people who decide something, as models: the account, which the control socket knows, and the reason. Pure."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from station.daemon import control
from station.domain.intervention import Decision

Question = TypeVar("Question", bound=BaseModel)


class Deciding(BaseModel):
    """A question of a person who decides; account and reason go into the ledger."""

    model_config = ConfigDict(extra="ignore")

    who: str
    reason: str

    @property
    def decision(self) -> Decision:
        return Decision(self.who, self.reason)


def parsed(model: type[Question], question: Mapping[str, object]) -> Question:
    """The question as this model has it; raises `CommandRefused`."""
    try:
        return model.model_validate(question)
    except ValidationError as exc:
        raise control.CommandRefused("; ".join(error["msg"] for error in exc.errors(include_input=False))) from exc
