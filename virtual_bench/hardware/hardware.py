# SPDX-License-Identifier: Apache-2.0
"""The hardware that a firmware can access: the interface between a board and its core."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from virtual_bench.hardware.chip_faults import ChipFaults
from virtual_bench.hardware.flash import Flash
from virtual_bench.hardware.radio_core import RadioCore
from virtual_bench.hardware.secure_storage import SecureStorage
from virtual_bench.timing.clock import Clock
from virtual_bench.timing.profile import Profile


class UART(Protocol):
    """The board's end of the serial line."""

    def send(self, data: bytes) -> None: ...

    def take(self) -> bytes:
        """The bytes that have arrived, possibly none."""

    async def arrival(self) -> None:
        """Returns when bytes have arrived."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """One microcontroller and the parts soldered to it."""

    uid: bytes
    internal: Flash
    external: Flash
    secure_storage: SecureStorage
    radio: RadioCore
    uart: UART
    clock: Clock
    profile: Profile
    faults: ChipFaults
    turn: asyncio.Lock  # held by the one emulated core of the bench that executes
