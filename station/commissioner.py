"""What a commissioner would say of factory data that has its certificates, wherever they came from. Pure."""

from dataclasses import dataclass, field
from datetime import datetime

from station.domain.credentials import Credentials
from station.matter.attestation import Product
from station.matter.certificates import TEST_VENDOR_IDS
from station.matter.factory_data import FactoryData, Tag
from station.matter.trust import TrustStore
from station.matter.unit import Examination, check_unit


@dataclass(frozen=True, slots=True)
class Commissioner:
    """Holds units against a trust store. With `production` None, test roots and keys are for test vendors only."""

    trust: TrustStore = field(repr=False)
    production: bool | None = None

    def check(self, data: FactoryData, at: datetime) -> Credentials:
        """The certificates of what was read back from a board, which is at fault if it is refused. `at` is now."""
        check_unit(data, self._examination(data, at))
        return Credentials(data.records[Tag.DEVICE_ATTESTATION_CERTIFICATE], data.records[Tag.PAI_CERTIFICATE])

    def check_input(self, data: FactoryData, at: datetime) -> None:
        """Refuses what a file gives with the first fault that a commissioner would find, before a board gets it."""
        for finding in self._examination(data, at).of(data):
            if finding.fault is not None:
                raise finding.fault

    def _examination(self, data: FactoryData, at: datetime) -> Examination:
        vendor_id, product_id = data.number(Tag.VENDOR_ID) or 0, data.number(Tag.PRODUCT_ID) or 0
        production = vendor_id not in TEST_VENDOR_IDS if self.production is None else self.production
        return Examination(Product(vendor_id, product_id), self.trust, at, production)
