# SPDX-License-Identifier: Apache-2.0
"""The commands of the control socket about units that were put away: release from quarantine, and scrap."""

from collections.abc import Mapping

import structlog

from station.adapters.ledger import Ledger
from station.daemon import control
from station.daemon.questions import Deciding, parsed
from station.domain.intervention import DecisionRefused
from station.domain.target import UID
from station.line.line import Line

log = structlog.get_logger()


class _Unit(Deciding):
    uid: str


class UnitCommands:
    """Decides about units. A board that a full work order has held tries again when another was scrapped."""

    def __init__(self, ledger: Ledger, line: Line) -> None:
        self._ledger = ledger
        self._line = line

    @property
    def by_name(self) -> dict[str, control.Command]:
        return {"unit_release": self._release, "unit_scrap": self._scrap}

    async def _release(self, question: Mapping[str, object]) -> control.Answer:
        """Lets a unit in quarantine be tried again."""
        asked = parsed(_Unit, question)
        try:
            uid = UID.parse(asked.uid)
            await self._ledger.release_from_quarantine(uid, asked.decision)
        except (ValueError, DecisionRefused) as exc:
            raise control.CommandRefused(str(exc)) from exc
        log.info("unit.released", uid=str(uid), account=asked.who, reason=asked.reason)
        return {"released": str(uid)}

    async def _scrap(self, question: Mapping[str, object]) -> control.Answer:
        """Burns the identity of a unit for ever."""
        asked = parsed(_Unit, question)
        try:
            uid = UID.parse(asked.uid)
            certificate = await self._ledger.scrap(uid, asked.decision)
        except (ValueError, DecisionRefused) as exc:
            raise control.CommandRefused(str(exc)) from exc
        log.info("unit.scrapped", uid=str(uid), dac=certificate, who=asked.who, reason=asked.reason)
        self._line.open_to_new()
        return {"scrapped": str(uid), "certificate": certificate}
