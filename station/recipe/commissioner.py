# SPDX-License-Identifier: Apache-2.0
"""What a commissioner would say of factory data that has its certificates, wherever they came from. Pure."""

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
    """Holds units against a trust store. With `production` None, test roots and keys are for test vendors only."""

    trust: TrustStore = field(repr=False)
    production: bool | None = None
    product: Product | None = None
    """What is made; without one, what the factory data says of itself."""

    def check(
        self, data: FactoryData, at: datetime, *, passcode: Passcode | None = None, key_in_flash: bool | None = None
    ) -> Credentials:
        """The certificates of what was read back from a board, which is at fault if it is refused. `at` is now.

        Where passcode and place of the private key are known, the board is held against them.
        """
        examination = self._examination(data, at)
        check_unit(data, replace(examination, passcode=passcode, key_in_flash=key_in_flash))
        return Credentials(data.records[Tag.DEVICE_ATTESTATION_CERTIFICATE], data.records[Tag.PAI_CERTIFICATE])

    def check_input(self, data: FactoryData, at: datetime) -> None:
        """Refuses what a file gives with the first fault that a commissioner would find, before a board gets it."""
        for finding in self._examination(data, at).of(data):
            if finding.fault is not None:
                raise finding.fault

    def _examination(self, data: FactoryData, at: datetime) -> Examination:
        said = Product(data.number(Tag.VENDOR_ID) or 0, data.number(Tag.PRODUCT_ID) or 0)
        product = self.product or said
        production = product.vendor_id not in TEST_VENDOR_IDS if self.production is None else self.production
        return Examination(product, self.trust, at, production)
