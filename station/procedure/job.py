# SPDX-License-Identifier: Apache-2.0
"""What one attempt works with, and what its first step has found out about the board. Pure."""

from dataclasses import dataclass

from station.domain.identity import Identity
from station.domain.target import Target
from station.factory_data.flash import Flash
from station.interfaces import AttemptLedger, Authority, Bench, Programmer
from station.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Recognised:
    """A board whose identity is reserved. Only the flash of one that may have been given a certificate before is read."""

    target: Target
    identity: Identity
    flash: Flash


@dataclass(frozen=True, slots=True)
class Job:
    """What an attempt works with: the slot's equipment, what a unit must be, who certifies it, and where all is written down."""

    bench: Bench
    recipe: Recipe
    authority: Authority
    ledger: AttemptLedger

    @property
    def programmer(self) -> Programmer:
        return self.bench.programmer
