# SPDX-License-Identifier: Apache-2.0
"""The command of the control socket about the numbers that a shared ledger holds: giving whole blocks back."""

from collections.abc import Callable, Mapping

import structlog
from pydantic import BaseModel, ConfigDict

from station.adapters.ledger import Ledger
from station.daemon import control
from station.daemon.questions import parsed

log = structlog.get_logger()


class _Lot(BaseModel):
    model_config = ConfigDict(extra="ignore")

    who: str
    lot: str


class LeaseCommands:
    """Gives blocks back. `made_now` names the lot that the replication holds numbers of; None if there is none."""

    def __init__(self, ledger: Ledger, made_now: Callable[[], str | None]) -> None:
        self._ledger = ledger
        self._made_now = made_now

    @property
    def by_name(self) -> dict[str, control.Command]:
        return {"leases_return": self._return}

    async def _return(self, question: Mapping[str, object]) -> control.Answer:
        """Gives up the whole unused blocks of a lot, which the journal tells the centre."""
        asked = parsed(_Lot, question)
        if self._ledger.shared is None:
            raise control.CommandRefused("this station's ledger is its own: it has no [shared] section")
        if asked.lot == self._made_now():
            raise control.CommandRefused(
                f"the line makes lot {asked.lot} now, and would ask for as many again: close or pause the lot first"
            )
        blocks = await self._ledger.shared.give_back(asked.lot)
        log.info("shared.returned", lot=asked.lot, blocks=len(blocks), who=asked.who)
        return {"lot": asked.lot, "blocks": blocks}
