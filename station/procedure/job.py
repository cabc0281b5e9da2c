# SPDX-License-Identifier: Apache-2.0
"""The equipment and services of one attempt, and the result of its first step. Pure."""

from dataclasses import dataclass

from station.domain.identity import Identity
from station.domain.target import Target
from station.factory_data.flash import Flash
from station.interfaces import AttemptLedger, Authority, Bench, Programmer
from station.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Recognised:
    """A board with its reserved identity. `flash` is `NotRead` if the board cannot hold a certificate yet."""

    target: Target
    identity: Identity
    flash: Flash


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt's equipment and services: the slot's bench, the recipe, the PKI and the attempt's ledger."""

    bench: Bench
    recipe: Recipe
    authority: Authority
    ledger: AttemptLedger

    @property
    def programmer(self) -> Programmer:
        return self.bench.programmer
