# SPDX-License-Identifier: Apache-2.0
"""A release's hash changes with every file that decides what a unit becomes."""

from dataclasses import replace

import pytest

from station.domain.product import TrustAnchors
from station.factory_data.flat_tlv import Tag
from station.recipe.recipe import Delivery, OwnPKI, Recipe
from station.recipe.release import release_of
from tests.builders.bench import RECIPE

OWN = RECIPE.own_pki
assert OWN is not None


def anchored(pai: bytes, paa: bytes) -> Recipe:
    assert OWN is not None
    return replace(RECIPE, certification=OwnPKI(TrustAnchors(pai, paa), OWN.commissioner))


@pytest.mark.parametrize(
    "other",
    [
        replace(RECIPE, sha256="0" * 64),
        replace(RECIPE, provisioning_image=replace(RECIPE.provisioning_image, content=b"another")),
        replace(RECIPE, operational_image=replace(RECIPE.operational_image, address=0x08001000)),
        replace(RECIPE, provisioning_image=RECIPE.operational_image, operational_image=RECIPE.provisioning_image),
        replace(RECIPE, product={Tag.CERTIFICATION_DECLARATION: b"another"}),
        anchored(b"pai", b""),
        anchored(b"", b"paa"),
        replace(RECIPE, certification=Delivery(None, 1.0, OWN.commissioner)),
    ],
)
def test_another_file_is_another_release(other: Recipe) -> None:
    assert release_of(other) != release_of(RECIPE)


def test_equal_files_are_one_release_whatever_the_line_sets_itself() -> None:
    """What a recipe's own file does not say is in no hash: two stations with the same files have one release."""
    assert release_of(replace(RECIPE)) == release_of(RECIPE)
    assert len(bytes.fromhex(release_of(RECIPE))) == 32
