# SPDX-License-Identifier: Apache-2.0
"""What people do with onboarding secrets: each deed is recorded before anything is shown. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from station.domain.intervention import LONGEST_ACCOUNT, LONGEST_REASON, DecisionRefused, is_one_line
from station.domain.target import UID


class Act(StrEnum):
    """The values are in ledgers."""

    SHOW = "show"
    """Label data of one unit was shown."""
    EXPORT = "export"
    """Label data of a lot was encrypted to somebody."""
    FORGET = "forget"
    """The secrets of one unit were shredded."""
    ROTATE = "rotate"
    """The station's key was replaced."""


AUTOMATIC = "station"  # who forgets units after some days


@dataclass(frozen=True, slots=True)
class SecretsDeed:
    """One deed of a person, or of the station itself. `recipient` is the fingerprint of a key."""

    at: datetime
    who: str
    reason: str
    act: Act
    units: int = 1
    uid: UID | None = None
    lot: str | None = None
    recipient: str | None = None

    def check(self) -> None:
        """Raises `DecisionRefused` unless account and reason are one line each; only forgetting needs a reason."""
        if not self.who or not is_one_line(self.who, LONGEST_ACCOUNT):
            raise DecisionRefused(f"the account must be one line of at most {LONGEST_ACCOUNT} characters")
        needed = self.act is Act.FORGET
        if not is_one_line(self.reason, LONGEST_REASON) or (needed and not self.reason.strip()):
            raise DecisionRefused(f"the reason must be one line of at most {LONGEST_REASON} characters")
