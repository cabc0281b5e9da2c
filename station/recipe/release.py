# SPDX-License-Identifier: Apache-2.0
"""The hash of a release: all files that decide what a unit becomes. Pure."""

import hashlib

from station.factory_data.flat_tlv import Tag
from station.recipe.recipe import Recipe


def release_of(recipe: Recipe) -> str:
    """SHA-256, 64 hexadecimal digits, over recipe, images with their addresses, wireless stack, declaration, PAI and PAA.

    Stations with equal releases make equal units: the centre gives serial numbers for the approved ones.
    """
    anchors = recipe.own_pki.anchors if recipe.own_pki else None
    contents = {
        "declaration": recipe.product.get(Tag.CERTIFICATION_DECLARATION),
        "pai": anchors.pai if anchors else None,
        "paa": anchors.paa if anchors else None,
    }
    parts = [
        f"recipe {recipe.sha256}",
        *(f"image {image.address:08x} {image.sha256}" for image in recipe.images),
        *(f"{name} {hashlib.sha256(content).hexdigest()}" for name, content in contents.items() if content is not None),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
