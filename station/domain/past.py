# SPDX-License-Identifier: Apache-2.0
"""A board's past as one ledger knows it, and whether the board's key may come from it. Pure."""

from dataclasses import dataclass

from station.domain.identity import IdentityState
from station.domain.target import UID
from station.faults.slot import UnitElsewhere


@dataclass(frozen=True, slots=True)
class Past:
    """`state` is that of the board's identity, None without one.

    `provisioned` boards have begun to get the firmware that makes keys, in the laboratory as a rule. A board is `released`
    once an engineer has said that it may be provisioned in spite of its key.
    """

    state: IdentityState | None = None
    provisioned: bool = False
    released: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether the board's identity may have been on the board."""
        return self.state is not None and self.state.may_have_key

    def check_ours(self, uid: UID, key: str) -> None:
        """Raises `UnitElsewhere` if this ledger cannot have given the board its key and nobody has released the board."""
        if not (self.is_ours or self.provisioned or self.released):
            raise UnitElsewhere(str(uid), key)
