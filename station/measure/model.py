# SPDX-License-Identifier: Apache-2.0
"""The model's constants, which `station measure` compares a real board with. Pure; seconds and bytes.

The station keeps them itself, since it imports neither benchmark nor bench; a test holds them against benchmarks/bound.py
and virtual_bench/timing/profile.py. None was measured on a board. Sources: page erase and double word (datasheet DS11929),
QSPI flash S25FL128S (datasheet, ST's board package), SWD rates and loaders (published logs of STM32CubeProgrammer), start,
end, boot and fast verification (estimates), P-256 (cycles of the PKA at 64 MHz). docs/virtual-bench.md, "Time", has each.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from station.domain.memory_map import PAGE, READBACK_REGION

EXTERNAL_PAGE = 256
TRANSFER_OF_A_PAGE = 64e-6  # from the microcontroller to the QSPI flash
CSR_BYTES, CERTIFICATES_BYTES, PROOF_BYTES = 280, 1000, 150  # on the UART, with the bytes of their frames
CURVE_OPERATIONS = 3  # key generation, the CSR's signature, the proof of possession


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of what a round writes and reads."""

    application: int
    provisioner: int
    factory_data: int
    ram_image: int = 0
    internal_read: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """One host, one kind of probe, one kind of board. Rates in bytes a second."""

    start_of_process: float = 0.25
    connection: float = 0.50
    end_of_process: float = 0.10
    loader_into_ram: float = 0.22
    external_loader: float = 0.30
    reset: float = 0.05
    fast_verification: float = 0.15
    write_rate: float = 225_000
    read_rate: float = 125_000
    erase_page: float = 0.022
    program_double_word: float = 81.7e-6
    erase_external_sector: float = 0.130
    program_external_page: float = 250e-6
    boot: float = 1.0
    curve_operation: float = 0.082
    uart_rate: float = 11_520
    pki: float = 0.020

    def internal(self, size: int) -> float:
        """A file into the internal flash, with its erase."""
        erase = math.ceil(size / PAGE) * self.erase_page
        return self.loader_into_ram + erase + size / 8 * self.program_double_word + size / self.write_rate

    def external(self, size: int) -> float:
        """A file of at most one sector into the external flash, with its erase."""
        program = math.ceil(size / EXTERNAL_PAGE) * self.program_external_page
        return self.loader_into_ram + self.erase_external_sector + program + size / self.write_rate

    @property
    def certificates(self) -> float:
        """What a board's cycle takes between programmer's runs, besides the boot: key, request, PKI, certificates, proof."""
        pages = READBACK_REGION.size // EXTERNAL_PAGE
        rewrite = self.erase_external_sector + pages * (self.program_external_page + TRANSFER_OF_A_PAGE)
        uart = (CSR_BYTES + CERTIFICATES_BYTES + PROOF_BYTES) / self.uart_rate
        return CURVE_OPERATIONS * self.curve_operation + uart + self.pki + rewrite


PROFILES: Mapping[str, Profile] = {
    "fast-host-v2-1": Profile(),
    "fast-host-v3": Profile(write_rate=600_000, read_rate=435_000),
    "slow-host-v2-1": Profile(start_of_process=0.8, connection=0.7, boot=2.0, write_rate=131_000, read_rate=150 * 1024),
}
