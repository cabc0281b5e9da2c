# SPDX-License-Identifier: Apache-2.0
"""Builds a board's factory data, image writes and label payload from its recipe and its identity. Pure."""

from station.domain.identity import Identity, IdentityState
from station.domain.intervention import DecisionRefused
from station.domain.label_data import LabelData
from station.domain.memory_map import FACTORY_DATA_REGION
from station.domain.product import (
    FULL_VERIFY_EVERY,
    Image,
    Strings,
    Verify,
    Write,
)
from station.factory_data import flat_tlv
from station.factory_data.device_information import terminated
from station.factory_data.flat_tlv import FactoryData, Tag
from station.label.layout import LabelUnfit
from station.matter.onboarding.codes import OnboardingPayload
from station.recipe.recipe import Recipe


def factory_data(recipe: Recipe, identity: Identity) -> FactoryData:
    """The unit's factory data without DAC, PAI and keys."""
    if recipe.given is not None:
        return recipe.given.data
    secrets = identity.secrets
    records = {
        **recipe.product,
        Tag.SETUP_DISCRIMINATOR: secrets.discriminator.value.to_bytes(2, "little"),
        Tag.SPAKE2_ITERATION_COUNT: secrets.iterations.to_bytes(4, "little"),
        Tag.SPAKE2_SALT: secrets.salt,
        Tag.SPAKE2_VERIFIER: secrets.verifier,
        Tag.SERIAL_NUMBER: identity.serial_number.encode(),
        Tag.MANUFACTURING_DATE: identity.manufacturing_date.encode(),
    }
    if recipe.passcode_in_flash:
        records[Tag.SPAKE2_SETUP_PASSCODE] = secrets.passcode.value.to_bytes(4, "little")
    if identity.rotating_device_id is not None:  # units made before the station made such ids have none
        records[Tag.ROTATING_DEVICE_ID] = identity.rotating_device_id.encode()
    data = FactoryData(records)
    return terminated(data) if recipe.strings is Strings.TERMINATED else data


def onboarding_payload(recipe: Recipe, identity: Identity) -> OnboardingPayload:
    """The content of the QR code and the manual pairing code on the unit's label."""
    secrets = identity.secrets
    return OnboardingPayload(recipe.vendor_id, recipe.product_id, secrets.discriminator, secrets.passcode)


def label_data(recipe: Recipe, identity: Identity, made_by: str | None, work_order: str | None) -> LabelData:
    """What is printed on the unit's label; raises `DecisionRefused` for a unit that must not get one, or not by this recipe."""
    if identity.state is not IdentityState.PASSED:
        raise DecisionRefused(
            f"unit {identity.serial_number} is {identity.state.value}: only a passed one gets a label"
        )
    if made_by != recipe.name:
        raise DecisionRefused(
            f"unit {identity.serial_number} was made by recipe {made_by}, and the line has {recipe.name}"
        )
    return LabelData.of(identity.uid, identity.serial_number, onboarding_payload(recipe, identity), work_order)


def check_work_order(recipe: Recipe, number: str) -> None:
    """Raises `DecisionRefused` for a work order whose number the recipe's labels must show and have no room for."""
    if recipe.label is None:
        return
    try:
        recipe.label.layout.check_work_order(number)
    except LabelUnfit as exc:
        raise DecisionRefused(f"the label of recipe {recipe.name} cannot show the work order's number: {exc}") from exc


def factory_data_write(recipe: Recipe, identity: Identity) -> Write:
    block = flat_tlv.encode(factory_data(recipe, identity))
    address = FACTORY_DATA_REGION.address
    return Write("factory data", address, block, Verify.FULL, external=True)


def provisioning_write(recipe: Recipe, identity: Identity) -> Write:
    return _image_write(recipe, recipe.provisioning_image, identity)


def operational_write(recipe: Recipe, identity: Identity) -> Write:
    return _image_write(recipe, recipe.operational_image, identity)


def _image_write(recipe: Recipe, image: Image, identity: Identity) -> Write:
    sampled = identity.ordinal % FULL_VERIFY_EVERY == 0 or identity.attempts > 1
    may_be_fast = image.region.size > 0x10000 and not sampled
    verify = recipe.verify if may_be_fast else Verify.FULL
    return Write(image.name, image.address, image.content, verify, external=False)
