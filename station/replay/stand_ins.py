# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for what a recording leaves out: a unit's secrets, its private key, and the read-back that holds them. Pure.

They fit one another where the unit's own did, and nowhere else, so that the checks of today come to their own conclusions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from station.domain.credentials import Credentials
from station.domain.identity import Identity
from station.factory_data import flat_tlv
from station.factory_data.flash import ERASED
from station.factory_data.flat_tlv import FactoryData, Tag
from station.matter.onboarding.passcode import Passcode
from station.recipe import unit_builder
from station.recipe.commissioner import Commissioner
from station.recipe.recipe import Recipe
from station.replay.entries import STAND_IN, EntryInvalid, bytes_of

KEY = b"\x11" * 32  # in place of the private key of a board's DAC
OTHER = b"2"  # fills a secret that was not as intended
DAMAGED = b"\xfe"


@dataclass(frozen=True, slots=True)
class StoodIn(Credentials):
    """Certificates whose private key is `KEY`."""

    def is_key(self, private_key: bytes) -> bool:
        return private_key == KEY


@dataclass(frozen=True, slots=True)
class StandInCommissioner(Commissioner):
    """Takes `KEY` for the key of any certificate; everything else it judges itself."""

    def check(
        self, data: FactoryData, at: datetime, *, key_in_flash: bool | None = None, label: Passcode | None = None
    ) -> Credentials:
        if data.octets(Tag.DEVICE_ATTESTATION_PRIV_KEY) == KEY and key_in_flash is not False:
            records = dict(data.records)
            del records[Tag.DEVICE_ATTESTATION_PRIV_KEY]
            data, key_in_flash = FactoryData(records), None
        found = Commissioner.check(self, data, at, key_in_flash=key_in_flash, label=label)
        return StoodIn(found.dac, found.pai)


def with_stand_ins(recipe: Recipe) -> Recipe:
    """The recipe, whose commissioner accepts the stand-in for a private key."""
    of = recipe.certification.commissioner
    commissioner = StandInCommissioner(of.trust, of.production, of.product)
    return replace(recipe, certification=replace(recipe.certification, commissioner=commissioner))


def credentials_of(entry: object) -> Credentials | None:
    match entry:
        case None:
            return None
        case {"dac": dac, "pai": pai}:
            return StoodIn(bytes_of(dac), bytes_of(pai))
        case _:
            raise EntryInvalid("certificates of another version")


def content_of(entry: Mapping[str, object], size: int, recipe: Recipe, identity: Identity | None) -> bytes:
    """The bytes of a region as the programmer would have read them, with stand-ins for the secrets in them."""
    match entry:
        case {"form": "short", "size": int(found)}:
            return DAMAGED * found
        case {"form": "erased"}:
            return bytes([ERASED]) * size
        case {"form": "damaged"}:
            return DAMAGED * size
        case {"form": "records", "public": dict(public), "secret": dict(secret)}:
            records = {Tag[name]: bytes_of(value) for name, value in public.items()}
            intended = {} if identity is None else unit_builder.factory_data(recipe, identity).records
            records |= {Tag[name]: _secret(Tag[name], told, intended) for name, told in secret.items()}
            return flat_tlv.encode(FactoryData(records)).ljust(size, bytes([ERASED]))
        case _:
            raise EntryInvalid("a read-back of another version")


def _secret(tag: Tag, told: Mapping[str, object], intended: Mapping[Tag, bytes]) -> bytes:
    size = told["size"]
    assert isinstance(size, int)
    if told["fits"] and tag is Tag.DEVICE_ATTESTATION_PRIV_KEY:
        return KEY
    if told["fits"] and tag in intended:
        return intended[tag]
    if tag is Tag.SPAKE2_SETUP_PASSCODE:
        return (STAND_IN.value + 1).to_bytes(4, "little")
    return OTHER * size
