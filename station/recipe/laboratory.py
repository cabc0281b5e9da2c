# SPDX-License-Identifier: Apache-2.0
"""A laboratory's recipe: all boards get the identity, certificates and keys of a file. Never for production. Pure."""

import hashlib
import hmac
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from station.domain.coprocessor import WirelessStack
from station.domain.memory_map import READBACK_REGION
from station.domain.product import WB55_DEVICE_ID, Flashable, Image, Verify, Write
from station.domain.target import Region, Target
from station.factory_data import flat_tlv
from station.factory_data.flash import ReadBack, found_in
from station.factory_data.flat_tlv import FactoryData
from station.faults.unit import ReadbackDiffers, TargetLocked, TargetWrong
from station.matter.certificates.revocation import Revoked
from station.recipe.commissioner import Commissioner


@dataclass(frozen=True, slots=True)
class Laboratory:
    """The factory data and the firmware, if any, that every board gets.

    The data has certificates and keys, so the station makes no secrets, asks no PKI and waits for no delivery.
    """

    new_secrets: ClassVar[None] = None
    own_pki: ClassVar[None] = None
    delivery: ClassVar[None] = None

    name: str
    data: FactoryData = field(repr=False)
    address: int
    firmware: Sequence[Image]
    commissioner: Commissioner
    wireless_stack: WirelessStack | None = None

    @property
    def images(self) -> Sequence[Flashable]:
        return [image for image in (self.wireless_stack, *self.firmware) if image is not None]

    @property
    def lot_name(self) -> str:
        return "laboratory"

    @property
    def sha256(self) -> str:
        """A digest of names, address and images. It leaves the factory data out, so nobody can guess a passcode from it."""
        names = (self.name, f"{self.address:X}", *(image.sha256 for image in self.images))
        return hashlib.sha256("\n".join(names).encode()).hexdigest()

    @property
    def release(self) -> str:
        """No release of a product: nobody approves it, and it makes no unit."""
        return self.sha256

    @property
    def revoked(self) -> Container[Revoked]:
        """The certificates that are revoked now."""
        return self.commissioner.trust.revoked

    @property
    def trust_left_out(self) -> tuple[str, ...]:
        """Files of the trust store that could not be used, with the reason."""
        return self.commissioner.trust.unreadable

    @property
    def region(self) -> Region:
        return Region(self.address, READBACK_REGION.size)

    @property
    def data_write(self) -> Write:
        return Write("factory data", self.address, flat_tlv.encode(self.data), Verify.FULL, external=True)

    @property
    def image_writes(self) -> list[Write]:
        return [Write(image.name, image.address, image.content, Verify.FULL, external=False) for image in self.firmware]

    def check_part(self, target: Target) -> None:
        """Refuses another microcontroller than the STM32WB55, and a read-protected one."""
        if target.device_id != WB55_DEVICE_ID:
            raise TargetWrong(f"0x{target.device_id:03X}", f"0x{WB55_DEVICE_ID:03X}")
        if not target.readable:
            raise TargetLocked(f"0x{target.readout_protection:02X}")

    def check(self, at: datetime) -> None:
        """Checks the factory data at the time `at`, before any write; raises the fault that a commissioner would find."""
        self.commissioner.check_input(self.data, at)

    def check_readback(self, flash: ReadBack) -> None:
        """Refuses a board whose flash lacks a record of the data, or has another one."""
        found, intended = found_in(flash).records, self.data.records
        for tag in sorted(found.keys() | intended.keys()):
            if not hmac.compare_digest(intended.get(tag, b""), found.get(tag, b"")):
                raise ReadbackDiffers(tag.name)
