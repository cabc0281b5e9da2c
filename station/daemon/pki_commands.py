# SPDX-License-Identifier: Apache-2.0
"""The commands of the control socket about requests to the PKI and certificates that no unit has."""

from collections.abc import Mapping
from dataclasses import asdict

import structlog
from pydantic import AwareDatetime

from station.adapters.ledger.orphans import Told
from station.adapters.pki.relay import Relay
from station.daemon import control
from station.daemon.parts import Parts
from station.daemon.questions import Deciding, parsed
from station.domain.intervention import DecisionRefused
from station.domain.issuance import Listed
from station.domain.target import UID

log = structlog.get_logger()


class _Again(Deciding):
    uid: str


class _Close(Deciding):
    id: str


class _Reconcile(Deciding):
    """`listed`: serial number in hexadecimal, and the key's name; `as_of`: the time at which the PKI made its list.

    `missing`: some of the keys whose certificate the list should have, and has not; `ours`: whether it has any of this ledger's.
    """

    listed: list[tuple[str, str]]
    as_of: AwareDatetime
    missing: list[str]
    ours: bool


class PKICommands:
    """Answers commands from the daemon's ledger and relay."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @property
    def by_name(self) -> dict[str, control.Command]:
        return {"pki_again": self._again, "pki_close": self._close, "pki_reconcile": self._reconcile}

    @property
    def _in_flight(self) -> frozenset[str]:
        relay = self._parts.relay
        return relay.in_flight if isinstance(relay, Relay) else frozenset()

    async def _again(self, question: Mapping[str, object]) -> control.Answer:
        """Allows the PKI to be asked for this board again."""
        asked = parsed(_Again, question)
        try:
            uid = UID.parse(asked.uid)
            orphans = await self._parts.ledger.issuance.excuse(uid, asked.decision)
        except (ValueError, DecisionRefused) as exc:
            raise control.CommandRefused(str(exc)) from exc
        log.info("pki.again", uid=str(uid), who=asked.who, reason=asked.reason)
        if isinstance(self._parts.relay, Relay):
            await self._parts.relay.asked_again()
        return {"again": str(uid), "orphans": orphans}

    async def _close(self, question: Mapping[str, object]) -> control.Answer:
        """Takes an orphan off the list."""
        asked = parsed(_Close, question)
        try:
            await self._parts.ledger.issuance.close_orphan(asked.id, asked.decision)
        except DecisionRefused as exc:
            raise control.CommandRefused(str(exc)) from exc
        log.info("orphan.closed", orphan=asked.id, who=asked.who, reason=asked.reason)
        return {"closed": asked.id}

    async def _reconcile(self, question: Mapping[str, object]) -> control.Answer:
        """Compares the ledger with the PKI's own list."""
        asked = parsed(_Reconcile, question)
        try:
            listed = [Listed(int(serial_number, 16), key) for serial_number, key in asked.listed]
            told = Told(listed, asked.as_of, asked.missing, asked.ours, self._in_flight)
            result = await self._parts.ledger.issuance.reconcile(told, asked.decision)
        except DecisionRefused as exc:
            raise control.CommandRefused(str(exc)) from exc
        except ValueError as exc:
            raise control.CommandRefused("a serial number is not hexadecimal") from exc
        if isinstance(self._parts.relay, Relay):
            await self._parts.relay.asked_again()
        log.info(
            "orphans.reconciled",
            listed=len(listed),
            surplus=len(result.surplus),
            nothing_issued=len(result.nothing_issued),
            who=asked.who,
            reason=asked.reason,
        )
        return asdict(result)
