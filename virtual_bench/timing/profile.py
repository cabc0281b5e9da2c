# SPDX-License-Identifier: Apache-2.0
"""The durations of silicon, probe and programmer: constants and formulas as data. Pure; seconds and bytes.

Sources: the timing model of the station's performance study (reference values for a 4 MHz ST-LINK V2-1 and a fast
host).
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """One host, kind of probe, and board. Rates in bytes a second."""

    process_start: float = 0.25
    connect: float = 0.50
    exit: float = 0.10
    internal_loader: float = 0.22
    external_loader: float = 0.30
    reset: float = 0.05
    verify_fast: float = 0.15
    swd_write: float = 225e3  # ST-LINK V2-1 at 4 MHz
    swd_read: float = 125e3
    page_erase: float = 0.022  # 4 KB, internal
    double_word: float = 81.7e-6  # 8 bytes, internal
    external_sector_erase: float = 0.130  # 64 KB
    external_page_program: float = 250e-6  # 256 bytes
    option_bytes: float = 0.3
    reconnect: float = 4.3  # the reset and reconnection after option bytes are launched
    fus_start: float = 3.0  # the operator runs and reads the state of the coprocessor's upgrade service (FUS)
    fus_failure: float = 7.0  # until the operator gives up
    fus_delete: float = 12.0
    fus_upgrade: float = 25.0
    stack_start: float = 3.0
    list_start: float = 1.0  # `-l`, which connects to every target
    list_probe: float = 0.5
    list_only: float = 0.6  # `-l st-link-only`, `-l uart`: no target is touched
    boot: float = 1.0
    p256_operation: float = 0.082  # on the PKA
    uart_bytes: float = 11520.0
    probe_firmware: str = "V2J45M30"
    probe_product: str = "STM32 STLink"  # its name on the USB
    swd_khz: int = 4000
    high_speed: bool = False  # on the USB: then no transaction translator is between it and the host

    def internal_erase(self, pages: int) -> float:
        return pages * self.page_erase

    def internal_program(self, size: int) -> float:
        """The flash's own time, after the transfer over SWD."""
        return size * self.double_word / 8

    def external_erase(self, sectors: int) -> float:
        return sectors * self.external_sector_erase

    def external_program(self, size: int) -> float:
        """The flash's own time, after the transfer over SWD."""
        return math.ceil(size / 256) * self.external_page_program

    def uart(self, size: int) -> float:
        return size / self.uart_bytes

    def block_program(self, size: int) -> float:
        """The time in which the board's own firmware programs the QSPI flash, page by page."""
        return math.ceil(size / 256) * (self.external_page_program + 64e-6)


DEFAULT_PROFILE = "fast-host-v2-1"
PROFILES = {
    DEFAULT_PROFILE: Profile(),
    "fast-host-v3": Profile(
        swd_write=600e3,
        swd_read=435e3,
        swd_khz=24000,
        high_speed=True,
        probe_firmware="V3J15M7",
        probe_product="STLINK-V3",
    ),
    "slow-host-v2-1": Profile(process_start=0.8, connect=0.7, boot=2.0, swd_write=131e3, swd_read=150 * 1024),
}
