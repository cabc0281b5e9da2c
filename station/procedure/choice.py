# SPDX-License-Identifier: Apache-2.0
"""Chooses the procedure for a recognised board from its record in the ledger and the content of its flash. Pure."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from station.domain.product import Plan
from station.factory_data.flash import Locked, NotRead
from station.procedure.in_ram import provision_in_ram, redeliver_in_ram, resume_in_ram
from station.procedure.job import Job, Recognised
from station.procedure.provision import provision, reconfirm, redeliver, resume
from station.procedure.without_pki import finish, provision_by_partner
from station.recipe import checks
from station.recipe.recipe import Delivery, Recipe

Procedure = Callable[[Job, Recognised], Awaitable[None]]


def procedure_for(recipe: Recipe, unit: Recognised, at: datetime) -> Procedure:
    """Chooses this board's procedure. `at` is the current time, at which a delivered certificate must be valid.

    A unit that was confirmed as another product is reconfirmed and fails: provisioning it anew would destroy its only key.
    """
    in_ram = recipe.plan is Plan.RAM
    if unit.at_relay:
        return resume_in_ram if in_ram else resume
    identity, flash = unit.identity, unit.flash
    anew, further = (provision_in_ram, redeliver_in_ram) if in_ram else (provision, redeliver)
    if isinstance(recipe.certification, Delivery):
        anew, further = provision_by_partner, finish

    match flash:
        case Locked():
            return reconfirm  # it was confirmed and can answer: `check_protection` refuses all other locked boards
        case NotRead():
            return anew
    if checks.would_lose_its_key(recipe, identity, flash):
        return reconfirm
    if not checks.is_whole(recipe, identity, flash, at):
        return anew
    return reconfirm if identity.confirmed and checks.firmware_stands(recipe, identity) else further
