# SPDX-License-Identifier: Apache-2.0
"""The hash that people approve covers everything that makes a unit what it is."""

from dataclasses import replace

import pytest

from station.domain.coprocessor import WirelessStack
from station.domain.product import Image, TrustAnchors
from station.factory_data.flat_tlv import Tag
from station.recipe.recipe import Delivery, OwnPKI, Recipe
from tests.builders.bench import RECIPE

PKI = RECIPE.own_pki or OwnPKI(TrustAnchors(b"", b""), RECIPE.certification.commissioner)
STACK = WirelessStack("stack.bin", b"stack", 0x080CE000)
FIRMWARE = RECIPE.operational_image
CHANGED = {
    "the recipe": replace(RECIPE, sha256="00" * 32),
    "an image": replace(RECIPE, operational_image=Image(FIRMWARE.name, b"other", FIRMWARE.address, "1.0")),
    "an image's address": replace(
        RECIPE, operational_image=Image(FIRMWARE.name, FIRMWARE.content, FIRMWARE.address + 0x1000, "1.0")
    ),
    "the stack": replace(RECIPE, wireless_stack=STACK),
    "another stack": replace(RECIPE, wireless_stack=replace(STACK, content=b"other")),
    "the declaration": replace(RECIPE, product={Tag.CERTIFICATION_DECLARATION: b"a declaration"}),
    "the PAI": replace(RECIPE, certification=replace(PKI, anchors=TrustAnchors(b"pai", b""))),
    "the PAA": replace(RECIPE, certification=replace(PKI, anchors=TrustAnchors(b"", b"paa"))),
    "a partner": replace(RECIPE, certification=Delivery(None, 10.0, PKI.commissioner)),
}


@pytest.mark.parametrize("recipe", CHANGED.values(), ids=CHANGED)
def test_whatever_changes_makes_another_release(recipe: Recipe) -> None:
    others = [each.release for each in (RECIPE, *CHANGED.values()) if each is not recipe]
    assert recipe.release not in others


def test_the_same_makes_the_same_release() -> None:
    assert replace(RECIPE).release == RECIPE.release
    assert len(bytes.fromhex(RECIPE.release)) == 32
