# SPDX-License-Identifier: Apache-2.0
"""A recipe as an entry of a recording, so that a test needs no file of the line's: of the images only size and digest. Pure."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from station.domain.coprocessor import Version, WirelessStack
from station.domain.identity import Lot
from station.domain.product import (
    CommonName,
    Erase,
    Flashable,
    Image,
    KeyStorage,
    Lock,
    Plan,
    Strings,
    Trust,
    TrustAnchors,
    Verify,
)
from station.factory_data.flat_tlv import SECRET, Tag
from station.matter.certificates.attestation import Product
from station.matter.certificates.trust import TrustStore
from station.recipe.commissioner import Commissioner
from station.recipe.recipe import Delivery, OwnPKI, Recipe
from station.replay.entries import EntryInvalid, base64_of, bytes_of

F = TypeVar("F", bound=Flashable)
Values = Mapping[str, object]


class HasSecrets(Exception):
    """The recipe's own values are secret."""


def recipe_entry(recipe: Recipe) -> dict[str, object]:
    """Raises `HasSecrets` for a recipe that gives all its boards one identity, or a secret record."""
    if recipe.given is not None or SECRET & recipe.product.keys():
        raise HasSecrets("its recipe has secrets of its own, and a test would keep them")
    own, stack, lock = recipe.own_pki, recipe.wireless_stack, recipe.lock
    commissioner = recipe.certification.commissioner
    product = commissioner.product
    return {
        "kind": "recipe",
        "name": recipe.name,
        "sha256": recipe.sha256,
        "product": {tag.name: base64_of(value) for tag, value in recipe.product.items()},
        "vendor_id": recipe.vendor_id,
        "product_id": recipe.product_id,
        "dac_vendor_id": recipe.dac_vendor_id,
        "dac_product_id": recipe.dac_product_id,
        "key_storage": recipe.key_storage,
        "trust": recipe.trust,
        "lot": [recipe.lot.name, recipe.lot.serial_number_format, recipe.lot.first, recipe.lot.size],
        "iterations": recipe.iterations,
        "provisioning": _image(recipe.provisioning_image),
        "operational": _image(recipe.operational_image),
        "operational_answers": sorted(recipe.operational_answers),
        "verify": recipe.verify,
        "erase": recipe.erase,
        "plan": recipe.plan,
        "lock": None if lock is None else dict(lock.option_bytes),
        "strings": recipe.strings,
        "passcode_in_flash": recipe.passcode_in_flash,
        "stack": None if stack is None else _image(stack) | {"smallest_fus": _text(stack.smallest_fus)},
        "own_pki": None
        if own is None
        else {
            "pai": base64_of(own.anchors.pai),
            "paa": base64_of(own.anchors.paa),
            "minimum_days": own.minimum_days,
            "common_name": own.common_name,
        },
        "delivery": None
        if recipe.delivery is None
        else {
            "script": _text(recipe.delivery.script and recipe.delivery.script.name),
            "within": recipe.delivery.within,
        },
        "production": commissioner.production,
        "commissioned": None if product is None else [product.vendor_id, product.product_id, product.device_type],
        "paas": {key.hex(): base64_of(each.der) for key, each in commissioner.trust.paas.items()},
        "cd_signers": {key.hex(): base64_of(each.der) for key, each in commissioner.trust.cd_signers.items()},
    }


def recipe_of(entry: Values) -> Recipe:
    """The recipe; raises `EntryInvalid` for an entry of another version."""
    try:
        return _recipe(entry)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise EntryInvalid(f"a recipe of another version: {exc}") from exc


def _recipe(entry: Values) -> Recipe:
    own, delivery, lock, stack = (_table(entry[name]) for name in ("own_pki", "delivery", "lock", "stack"))
    made = entry["commissioned"]
    trust = TrustStore.of(_files(entry["paas"]), _files(entry["cd_signers"]))
    production = entry["production"]
    commissioner = Commissioner(
        trust, None if production is None else bool(production), Product(*made) if isinstance(made, list) else None
    )
    lot = entry["lot"]
    assert isinstance(lot, list)
    storage = entry["key_storage"]
    return Recipe(
        name=str(entry["name"]),
        sha256=str(entry["sha256"]),
        product={Tag[name]: bytes_of(value) for name, value in (_table(entry["product"]) or {}).items()},
        vendor_id=_whole(entry["vendor_id"]),
        product_id=_whole(entry["product_id"]),
        key_storage=None if storage is None else KeyStorage(str(storage)),
        trust=Trust(str(entry["trust"])),
        lot=Lot(*lot),
        iterations=_whole(entry["iterations"]),
        provisioning_image=_flashable(Image, entry["provisioning"]),
        operational_image=_flashable(Image, entry["operational"]),
        operational_answers=frozenset(map(str, _list(entry["operational_answers"]))),
        verify=Verify(str(entry["verify"])),
        erase=Erase(str(entry.get("erase", Erase.ALWAYS))),  # entries of earlier versions have neither
        plan=Plan(str(entry.get("plan", Plan.FLASH))),
        certification=OwnPKI(
            TrustAnchors(bytes_of(own["pai"]), bytes_of(own["paa"])),
            commissioner,
            _whole(own["minimum_days"]),
            CommonName(str(own["common_name"])),
        )
        if own is not None
        else _delivery(delivery, commissioner),
        lock=None if lock is None else Lock({name: _whole(value) for name, value in lock.items()}),
        strings=Strings(str(entry["strings"])),
        passcode_in_flash=bool(entry["passcode_in_flash"]),
        wireless_stack=None if stack is None else _flashable(WirelessStack, stack),
        dac_vendor_id=_whole_or_none(entry["dac_vendor_id"]),
        dac_product_id=_whole_or_none(entry["dac_product_id"]),
    )


def _image(image: Flashable) -> dict[str, object]:
    version = getattr(image, "version", None)
    size = len(image.content)
    return {
        "name": image.name,
        "address": image.address,
        "size": size,
        "digest": image.sha256,
        "version": _text(version),
    }


def _flashable(kind: type[F], value: object) -> F:
    """An image of zeros, as long as the one that was flashed, which keeps that one's digest."""
    told = _table(value) or {}
    version = told["version"]
    if kind is WirelessStack:
        fus = told["smallest_fus"]
        further: tuple[object, ...] = (
            None if version is None else Version.parse(str(version)),
            None if fus is None else Version.parse(str(fus)),
        )
    else:
        further = (str(version),)
    image = kind(str(told["name"]), bytes(_whole(told["size"])), _whole(told["address"]), *further)
    vars(image)["sha256"] = str(told["digest"])  # where its cached property keeps it
    return image


def _delivery(told: Values | None, commissioner: Commissioner) -> Delivery:
    if told is None:
        raise EntryInvalid("a recipe without PKI and partner")
    script, within = told["script"], told["within"]
    assert isinstance(within, int | float)
    return Delivery(None if script is None else Path(str(script)), within, commissioner)


def _files(value: object) -> dict[str, bytes]:
    return {name: bytes_of(content) for name, content in (_table(value) or {}).items()}


def _table(value: object) -> Values | None:
    if value is not None and not isinstance(value, dict):
        raise EntryInvalid(f"{value!r} where a table is expected")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise EntryInvalid(f"{value!r} where a list is expected")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise EntryInvalid(f"{value!r} where a number is expected")
    return value


def _whole_or_none(value: object) -> int | None:
    return None if value is None else _whole(value)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
