# SPDX-License-Identifier: Apache-2.0
"""The choice of a board's procedure by its ledger entry and its flash."""

from dataclasses import replace

import pytest

from station.domain.identity import Confirmation, IdentityState
from station.domain.product import Plan
from station.domain.target import RDP_LEVEL_0, RDP_LEVEL_1, Target
from station.factory_data import flat_tlv
from station.factory_data.flash import Damaged, Empty, Flash, Locked, NotRead, read_back
from station.factory_data.flat_tlv import Tag
from station.procedure.choice import procedure_for
from station.procedure.job import Recognised
from station.recipe.recipe import Recipe
from tests.builders.forge_unit import EXAMINATION
from tests.domain.test_recipe import IDENTITY, PLAIN, finished

ANSWERS = replace(PLAIN, operational_answers=frozenset({"identity", "proof"}))
WHOLE = read_back(flat_tlv.encode(finished(PLAIN)).ljust(0x4000, b"\xff"))
EMPTY = read_back(b"\xff" * 0x4000)
DAMAGED = read_back(bytes(0x4000))
OURS = Confirmation(frozenset(image.sha256 for image in PLAIN.images))
OF_ANOTHER_VERSION = Confirmation(frozenset({"5e" * 32}))
TOUCHED = replace(OURS, touched=True)


def chosen(recipe: Recipe, flash: Flash, confirmation: Confirmation | None, protection: int = RDP_LEVEL_0) -> str:
    """The procedure for a board that has its certificate and, if it was confirmed, has passed."""
    state = IdentityState.CERTIFIED if confirmation is None else IdentityState.PASSED
    identity = replace(IDENTITY, state=state, confirmation=confirmation)
    target = Target(IDENTITY.uid, 0x495, "Rev Y", 3300, protection, "V3J15M6", "2.19.0")
    return procedure_for(recipe, Recognised(target, identity, flash), EXAMINATION.at).__name__


def test_a_unit_that_has_passed_is_reconfirmed() -> None:
    """The unit's factory data is whole, and its firmware can prove its own presence."""
    assert chosen(ANSWERS, WHOLE, OURS) == "reconfirm"
    assert chosen(ANSWERS, WHOLE, None) == "redeliver"


def test_a_unit_without_its_factory_data_is_provisioned() -> None:
    """This holds whether it has passed before or not."""
    assert chosen(ANSWERS, EMPTY, OURS) == "provision"
    assert chosen(ANSWERS, EMPTY, None) == "provision"
    assert chosen(ANSWERS, DAMAGED, OURS) == "provision"
    assert chosen(ANSWERS, NotRead(), None) == "provision"


@pytest.mark.parametrize("confirmation", [TOUCHED, OF_ANOTHER_VERSION])
def test_a_unit_with_another_firmware_is_given_the_recipes(confirmation: Confirmation) -> None:
    """Flashing has begun since the last confirmation, or the recipe now has another image."""
    assert chosen(ANSWERS, WHOLE, confirmation) == "redeliver"


def test_firmware_that_says_nothing_is_written_again() -> None:
    """Only writing it again makes sure that it is the recipe's."""
    assert chosen(PLAIN, WHOLE, OURS) == "redeliver"


def test_a_unit_of_another_recipe_keeps_its_key() -> None:
    """The unit fails untouched as long as its certificate is in flash and no attempt has begun to replace it."""
    other = replace(ANSWERS, product_id=0x8005, product={**PLAIN.product, Tag.PRODUCT_ID: b"\x05\x80"})
    assert chosen(other, WHOLE, OURS) == "reconfirm"
    assert chosen(other, WHOLE, OF_ANOTHER_VERSION) == "reconfirm"
    assert chosen(other, WHOLE, TOUCHED) == "provision"
    assert chosen(other, EMPTY, OURS) == "provision"


def test_the_plan_decides_where_the_provisioning_firmware_runs() -> None:
    """A unit that has passed needs none."""
    in_ram = replace(ANSWERS, plan=Plan.RAM)
    assert chosen(in_ram, EMPTY, None) == "provision_in_ram"
    assert chosen(in_ram, WHOLE, None) == "redeliver_in_ram"
    assert chosen(in_ram, WHOLE, OURS) == "reconfirm"
    target = Target(IDENTITY.uid, 0x495, "Rev Y", 3300, RDP_LEVEL_0, "V3J15M6", "2.19.0")
    waiting = Recognised(target, IDENTITY, NotRead(), at_relay=True)
    for recipe, name in ((in_ram, "resume_in_ram"), (ANSWERS, "resume")):
        assert procedure_for(recipe, waiting, EXAMINATION.at).__name__ == name


def test_a_locked_unit_is_reconfirmed() -> None:
    """Neither the line nor anybody else can have changed it."""
    assert chosen(ANSWERS, Locked(), OURS, RDP_LEVEL_1) == "reconfirm"


def test_empty_and_damaged_flash_are_told_apart() -> None:
    """Erased flash is no factory data for another reason than bytes that nobody can decode."""
    assert isinstance(EMPTY, Empty)
    assert isinstance(DAMAGED, Damaged)
