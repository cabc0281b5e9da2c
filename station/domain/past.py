# SPDX-License-Identifier: Apache-2.0
"""A board's past in one ledger, and the check that the board's key may come from this ledger's attempts. Pure."""

from dataclasses import dataclass

from station.domain.disposition import Disposition
from station.domain.identity import IdentityState
from station.domain.target import UID
from station.faults.slot import UnitElsewhere


@dataclass(frozen=True, slots=True)
class Past:
    """`state` is the state of the board's identity, None if it has none.

    `provisioned`: an attempt, usually a laboratory's, began to flash the firmware that makes keys. `released`: an engineer
    has allowed the board to be provisioned in spite of its key.
    """

    state: IdentityState | None = None
    provisioned: bool = False
    released: bool = False
    disposition: Disposition = Disposition.FREE
    """Whether the unit was quarantined or scrapped."""

    @property
    def is_ours(self) -> bool:
        """Whether an attempt may have written the board's identity to it."""
        return self.state is not None and self.state.may_have_key

    def check_ours(self, uid: UID, key: str) -> None:
        """Raises `UnitElsewhere` if this ledger cannot have given the board its key and nobody has released the board."""
        if not (self.is_ours or self.provisioned or self.released):
            raise UnitElsewhere(str(uid), key)
