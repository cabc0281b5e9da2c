# SPDX-License-Identifier: Apache-2.0
"""A recipe: the properties of a product's units. Pure.

`files/recipe_file.py` builds it, complete and checked, before the line opens.
"""

import hashlib
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from station.domain.coprocessor import WirelessStack
from station.domain.credentials import Credentials
from station.domain.identity import GivenIdentity, Lot
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
from station.factory_data.flat_tlv import Tag
from station.label.plan import LabelPlan
from station.matter.certificates.revocation import Revoked
from station.recipe.commissioner import Commissioner


@dataclass(frozen=True, slots=True)
class OwnPKI:
    """This line's PKI certifies the boards, under pinned anchors; `commissioner` checks the finished boards.

    DAC and PAI must be valid for `minimum_days` more; 0 accepts any end.
    """

    anchors: TrustAnchors
    commissioner: Commissioner
    minimum_days: int = 0
    common_name: CommonName = CommonName.NONE


@dataclass(frozen=True, slots=True)
class Delivery:
    """A partner puts certificates on the board instead of this line's PKI: a script, or ST's firmware if `script` is None.

    `commissioner` checks them, whatever the partner reports. `within` is the deadline in seconds.
    """

    script: Path | None
    within: float
    commissioner: Commissioner


@dataclass(frozen=True, slots=True)
class Delivered:
    """Certificates found on a board, and the place of its private key: the coprocessor if the key is not in flash."""

    credentials: Credentials
    key_storage: KeyStorage


@dataclass(frozen=True, slots=True)
class Recipe:
    """One product as the line makes it.

    `key_storage` None accepts the place that the provisioning firmware chooses. `given` is the one identity that all boards
    of a laboratory get.
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
    dac_vendor_id: int | None = None
    dac_product_id: int | None = None
    label: LabelPlan | None = None
    erase: Erase = Erase.ALWAYS
    plan: Plan = Plan.FLASH

    @property
    def dac_names(self) -> tuple[int, int]:
        """The vendor and product that the DACs name: the product's own, unless it is a white-label product."""
        vendor_id = self.vendor_id if self.dac_vendor_id is None else self.dac_vendor_id
        return vendor_id, self.product_id if self.dac_product_id is None else self.dac_product_id

    @property
    def images(self) -> Sequence[Flashable]:
        every = (self.wireless_stack, self.provisioning_image, self.operational_image)
        return [image for image in every if image is not None]

    @property
    def lot_name(self) -> str:
        return self.lot.name

    @property
    def release(self) -> str:
        """The SHA-256 of all that makes a unit what it is: recipe, images with their addresses, stack, declaration, PAI and PAA.

        The recipe's own `sha256` covers its file, so of the other files their names only.
        """
        declaration = self.product.get(Tag.CERTIFICATION_DECLARATION, b"")
        parts = [("recipe", self.sha256)]
        parts += [(f"{image.name} at 0x{image.address:08X}", image.sha256) for image in self.images]
        parts.append(("declaration", hashlib.sha256(declaration).hexdigest()))
        if (pki := self.own_pki) is not None:
            anchors = (("pai", pki.anchors.pai), ("paa", pki.anchors.paa))
            parts += [(name, hashlib.sha256(content).hexdigest()) for name, content in anchors]
        return hashlib.sha256("\n".join(f"{name} {digest}" for name, digest in parts).encode()).hexdigest()

    @property
    def new_secrets(self) -> int | None:
        """The PBKDF2 iterations of the secrets that the station makes for each unit; None if the recipe gives the identity."""
        return self.iterations if self.given is None else None

    @property
    def own_pki(self) -> OwnPKI | None:
        """This line's PKI; None if a partner certifies the boards."""
        return self.certification if isinstance(self.certification, OwnPKI) else None

    @property
    def names_requests(self) -> bool:
        """Whether a board puts its serial number into its certificate request, as the common name."""
        return self.own_pki is not None and self.own_pki.common_name is CommonName.SERIAL_NUMBER

    @property
    def delivery(self) -> Delivery | None:
        """The partner that certifies the boards; None if this line's PKI does."""
        return self.certification if isinstance(self.certification, Delivery) else None

    @property
    def revoked(self) -> Container[Revoked]:
        """The certificates that are revoked now."""
        return self.certification.commissioner.trust.revoked

    @property
    def trust_left_out(self) -> tuple[str, ...]:
        """Files of the trust store that could not be used, with the reason."""
        return self.certification.commissioner.trust.unreadable
