# SPDX-License-Identifier: Apache-2.0
"""What a unit's label says: secret, as the passcode in it is. Pure."""

from dataclasses import dataclass, field

from station.domain.target import UID
from station.matter.onboarding import codes
from station.matter.onboarding.codes import OnboardingPayload


@dataclass(frozen=True, slots=True)
class LabelData:
    """One unit's label. Its `repr` shows neither code."""

    uid: str
    serial_number: str
    vendor_id: int
    product_id: int
    discriminator: int
    qr_code: str = field(repr=False)
    manual_code: str = field(repr=False)
    work_order: str | None = None
    """The number of the order for which the unit was made; None for a unit of a recipe's lot."""

    @classmethod
    def of(cls, uid: UID, serial_number: str, payload: OnboardingPayload, work_order: str | None = None) -> "LabelData":
        """The codes of this payload, which were read back and compared with it."""
        qr_code, manual_code = codes.qr_code(payload), codes.manual_code(payload)
        codes.check_codes(payload, qr_code, manual_code)
        return cls(
            str(uid),
            serial_number,
            payload.vendor_id,
            payload.product_id,
            payload.discriminator.value,
            qr_code,
            manual_code,
            work_order,
        )
