# SPDX-License-Identifier: Apache-2.0
"""Judges factory data with certificates as a commissioner does, whoever issued them. Pure."""

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
    """Checks units against a trust store. With `production` None, test roots and keys are accepted for test vendor ids only."""

    trust: TrustStore = field(repr=False)
    production: bool | None = None
    product: Product | None = None
    """The expected vendor and product id; None takes those in the factory data."""

    def check(
        self, data: FactoryData, at: datetime, *, key_in_flash: bool | None = None, label: Passcode | None = None
    ) -> Credentials:
        """Checks the read-back of a board at the time `at` and returns its certificates; raises the unit's fault.

        A known place of the private key is checked, too. `label` is the passcode with which `check_label` has accepted the
        verifier; without it the verifier is compared with the passcode in flash, if there is one.
        """
        known = replace(
            self._examination(data, at), key_in_flash=key_in_flash, passcode=label, verifier_checked=label is not None
        )
        check_unit(data, known)
        return Credentials(data.records[Tag.DEVICE_ATTESTATION_CERTIFICATE], data.records[Tag.PAI_CERTIFICATE])

    def check_input(self, data: FactoryData, at: datetime) -> None:
        """Checks an input file before a board gets it; raises the first fault that a commissioner would find."""
        for finding in self._examination(data, at).of(data):
            if finding.fault is not None:
                raise finding.fault

    def _examination(self, data: FactoryData, at: datetime) -> Examination:
        said = Product(data.number(Tag.VENDOR_ID) or 0, data.number(Tag.PRODUCT_ID) or 0)
        product = self.product or said
        production = product.vendor_id not in TEST_VENDOR_IDS if self.production is None else self.production
        return Examination(product, self.trust, at, production)
