# SPDX-License-Identifier: Apache-2.0
"""The phases of the station's procedure that the bench can infer from programmer and serial port. Pure."""

from enum import StrEnum


class Phase(StrEnum):
    RECOGNISE = "recognise"
    COPROCESSOR = "coprocessor"
    FLASH_DATA = "flash_data"
    FLASH_PROVISIONER = "flash_provisioner"
    AWAIT_CSR = "await_csr"
    RELAY_TO_PKI = "relay_to_pki"
    DELIVER = "deliver"
    FLASH_OPERATIONAL = "flash_operational"
    CONFIRM = "confirm"
    LOCK = "lock"

    @classmethod
    def _missing_(cls, value: object) -> "Phase | None":
        """Accepts blanks and hyphens in place of underscores."""
        if not isinstance(value, str):
            return None
        name = value.strip().lower().replace(" ", "_").replace("-", "_")
        return next((phase for phase in cls if phase.value == name), None)


CONVERSATION = (Phase.AWAIT_CSR, Phase.RELAY_TO_PKI, Phase.DELIVER)
