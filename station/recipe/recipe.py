# SPDX-License-Identifier: Apache-2.0
"""A recipe: what a unit of this product must be. Pure.

`files/recipe_file.py` builds it, complete and checked, before the line opens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from station.domain.coprocessor import WirelessStack
from station.domain.credentials import Credentials
from station.domain.identity import GivenIdentity, Lot
from station.domain.product import (
    Flashable,
    Image,
    KeyStorage,
    Lock,
    Strings,
    Trust,
    TrustAnchors,
    Verify,
)
from station.factory_data.flat_tlv import Tag
from station.recipe.commissioner import Commissioner


@dataclass(frozen=True, slots=True)
class OwnPKI:
    """This line's PKI certifies the boards, under pinned anchors; finished boards are held against `commissioner`."""

    anchors: TrustAnchors
    commissioner: Commissioner


@dataclass(frozen=True, slots=True)
class Delivery:
    """Somebody else than this line's PKI puts certificates on the board: a partner's script, or, without one, ST's firmware.

    What they put there is held against `commissioner`, whatever they say of it.
    """

    script: Path | None
    within: float
    commissioner: Commissioner


@dataclass(frozen=True, slots=True)
class Delivered:
    """What was found on a board, and where its private key must be: in flash, or, if it is not there, in the coprocessor."""

    credentials: Credentials
    key_storage: KeyStorage


@dataclass(frozen=True, slots=True)
class Recipe:
    """One product as the line makes it.

    Without `key_storage` the key lives where the provisioning firmware keeps it. `given` is the identity that every board
    gets in a laboratory.
    """

    name: str
    sha256: str
    product: Mapping[Tag, bytes]
    vendor_id: int
    product_id: int
    key_storage: KeyStorage | None
    trust: Trust
    lot: Lot
    iterations: int
    provisioning_image: Image
    operational_image: Image
    operational_answers: frozenset[str]
    verify: Verify
    certification: OwnPKI | Delivery
    lock: Lock | None = None
    strings: Strings = Strings.PLAIN
    passcode_in_flash: bool = True
    given: GivenIdentity | None = None
    wireless_stack: WirelessStack | None = None

    @property
    def images(self) -> Sequence[Flashable]:
        every = (self.wireless_stack, self.provisioning_image, self.operational_image)
        return [image for image in every if image is not None]

    @property
    def lot_name(self) -> str:
        return self.lot.name

    @property
    def new_secrets(self) -> int | None:
        """The iterations of the onboarding secrets that the station makes for each unit; None where the identity is given."""
        return self.iterations if self.given is None else None

    @property
    def own_pki(self) -> OwnPKI | None:
        """The anchors of the PKI that this line asks; None where certificates are delivered."""
        return self.certification if isinstance(self.certification, OwnPKI) else None

    @property
    def delivery(self) -> Delivery | None:
        """Who delivers certificates to the board; None where this line's PKI issues them."""
        return self.certification if isinstance(self.certification, Delivery) else None

    @property
    def trust_left_out(self) -> tuple[str, ...]:
        """What the trust store's folder holds and could not be used."""
        return self.certification.commissioner.trust.unreadable
