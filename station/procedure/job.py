# SPDX-License-Identifier: Apache-2.0
"""The inputs of one attempt, and the result of its first step. Pure."""

from dataclasses import dataclass

from station.domain.identity import Identity
from station.domain.target import Target
from station.factory_data.flash import Flash
from station.interfaces import AttemptLedger, Authority, Bench, Programmer
from station.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Recognised:
    """A board whose identity is reserved. Its flash is read only if an earlier attempt may have left a certificate there."""

    target: Target
    identity: Identity
    flash: Flash


@dataclass(frozen=True, slots=True)
class Job:
    """The slot's equipment, the recipe, the PKI and the attempt's journal."""

    bench: Bench
    recipe: Recipe
    authority: Authority
    ledger: AttemptLedger

    @property
    def programmer(self) -> Programmer:
        return self.bench.programmer
