# SPDX-License-Identifier: Apache-2.0
"""The inputs of one attempt, and the result of its first step. Pure."""

import secrets
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime

from station.domain.attempt import WriteRepeated
from station.domain.identity import Identity
from station.domain.product import Write
from station.domain.target import UID, Target
from station.factory_data.flash import Flash
from station.faults import Fault
from station.interfaces import AttemptLedger, Authority, Bench, Invocation, Programmer, Route
from station.link.messages import NONCE_SIZE
from station.recipe import checks
from station.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Recognised:
    """A board whose identity is reserved. Its flash is read only if an earlier attempt may have left a certificate there."""

    target: Target
    identity: Identity
    flash: Flash
    at_relay: bool = False
    """Whether the board waits for its certificate since its last attempt, with its provisioning firmware running."""


async def _no_sample(_target: Target) -> bool:
    return False


def _now() -> datetime:
    return datetime.now(UTC)


def _nonce() -> bytes:
    return secrets.token_bytes(NONCE_SIZE)


@dataclass(frozen=True, slots=True)
class Job:
    """The slot's equipment, the recipe, the PKI, the attempt's journal, and what the slot's last attempt has left."""

    bench: Bench
    recipe: Recipe
    authority: Authority
    ledger: AttemptLedger
    is_sample: Callable[[Target], Awaitable[bool]] = _no_sample
    """Whether the board is a sample. Raises `SamplesAreDue` if it is none and samples are due."""
    at_relay: UID | None = None
    """The board of this slot whose last attempt ended at the PKI: it has its factory data, and its provisioning firmware runs."""
    route: Route | None = None
    """The MES, where it decides which boards belong here."""
    now: Callable[[], datetime] = _now
    """The time at which certificates must be valid."""
    nonce: Callable[[], bytes] = _nonce
    """Bytes that nobody can foresee, for the board to sign."""

    @property
    def programmer(self) -> Programmer:
        return self.bench.programmer

    def flashing(self, unit: Recognised, *writes: Write) -> AbstractAsyncContextManager[Invocation]:
        """One run that writes to the board; without an erase if the board is taken for blank, and again with one if that fails."""
        sample = self.ledger.attempt.laboratory
        blank = not sample and checks.may_be_blank(self.recipe, unit.target, unit.identity)
        return self.programmer.invocation(*writes, unerased=self._write_repeated if blank else None)

    async def _write_repeated(self, fault: Fault) -> None:
        await self.ledger.record(WriteRepeated(fault.code))
