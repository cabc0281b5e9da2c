# SPDX-License-Identifier: Apache-2.0
"""A person's deed on a slot or on the line: who did what, when, and why. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

LONGEST_REASON, LONGEST_ACCOUNT = 500, 100  # a person's name with an address of IPv6 and its interface


class Deed(StrEnum):
    HOLD = "hold"
    RELEASE = "release"
    DRAIN = "drain"


def is_one_line(text: str, longest: int) -> bool:
    """Whether a journal takes the text: printable, without line ends and controls, and not longer than that."""
    return text.isprintable() and len(text) <= longest


class DecisionRefused(Exception):
    """A person's decision is refused; the text says why."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decides about a unit or its certificates, and why; the ledger keeps both."""

    account: str
    reason: str

    def check(self) -> None:
        """Raises `DecisionRefused` unless both are one line."""
        for name, text, longest in (
            ("reason", self.reason, LONGEST_REASON),
            ("account", self.account, LONGEST_ACCOUNT),
        ):
            if not text.strip() or not is_one_line(text, longest):
                raise DecisionRefused(f"the {name} must be one line of at most {longest} characters")


@dataclass(frozen=True, slots=True)
class Intervention:
    """One deed. `slot` is None for the line; `fault` is the code of the fault that had stopped the slot or the line."""

    at: datetime
    who: str
    deed: Deed
    slot: str | None
    fault: str | None
    reason: str
    """Empty if the person gave none."""

    def __post_init__(self) -> None:
        if not self.who or not is_one_line(self.who, LONGEST_ACCOUNT) or not is_one_line(self.reason, LONGEST_REASON):
            raise ValueError("account and reason are one line each")
