# SPDX-License-Identifier: Apache-2.0
"""Judges factory data with its certificates as a commissioner would, whoever issued them. Pure."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from station.domain.credentials import Credentials
from station.factory_data.examination import Examination, check_unit
from station.factory_data.flat_tlv import FactoryData, Tag
from station.matter.certificates.attestation import Product
from station.matter.certificates.chain import TEST_VENDOR_IDS
from station.matter.certificates.trust import TrustStore
from station.matter.onboarding.passcode import Passcode


@dataclass(frozen=True, slots=True)
class Commissioner:
    """Checks units against a trust store. With `production` None, only test vendors may use test roots and keys."""

    trust: TrustStore = field(repr=False)
    production: bool | None = None
    product: Product | None = None
    """The expected product; None takes vendor and product ID from the factory data."""

    def check(
        self, data: FactoryData, at: datetime, *, passcode: Passcode | None = None, key_in_flash: bool | None = None
    ) -> Credentials:
        """Returns the certificates in a board's factory data; raises a `UnitFault` if a commissioner would refuse it.

        `at` is the current time. `passcode` and `key_in_flash` are checked unless None.
        """
        examination = self._examination(data, at)
        check_unit(data, replace(examination, passcode=passcode, key_in_flash=key_in_flash))
        return Credentials(data.records[Tag.DEVICE_ATTESTATION_CERTIFICATE], data.records[Tag.PAI_CERTIFICATE])

    def check_input(self, data: FactoryData, at: datetime) -> None:
        """Raises the first fault that a commissioner would find in a file's factory data, before a board gets it."""
        for finding in self._examination(data, at).of(data):
            if finding.fault is not None:
                raise finding.fault

    def _examination(self, data: FactoryData, at: datetime) -> Examination:
        said = Product(data.number(Tag.VENDOR_ID) or 0, data.number(Tag.PRODUCT_ID) or 0)
        product = self.product or said
        production = product.vendor_id not in TEST_VENDOR_IDS if self.production is None else self.production
        return Examination(product, self.trust, at, production)
