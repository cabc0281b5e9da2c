# SPDX-License-Identifier: Apache-2.0
"""Faults inside the chip. The failing peripheral asks for each, at the operation that fails."""

import asyncio
from collections.abc import Callable

from virtual_bench.faults.armed import BoardFaults, Fault
from virtual_bench.faults.phases import Phase


class SpoiledChip:
    """The chip faults of one board."""

    def __init__(self, faults: BoardFaults, act: Callable[[Fault], None]) -> None:
        self._faults = faults
        self._act = act
        self._writes = 0
        self._counted: Phase | None = None

    def random_fails(self) -> bool:
        return self._faults.due("rng_error") is not None

    def accelerator_fails(self) -> bool:
        return self._faults.due("pka_error") is not None

    def external_write_fails(self) -> bool:
        absent = self._faults.lasting("external_flash_absent") is not None
        return absent or self._faults.due("qspi_error") is not None

    def power_goes(self) -> bool:
        """Pulls the board as soon as the core yields to the event loop."""
        if self._counted is not self._faults.phase:
            self._counted, self._writes = self._faults.phase, 0
        fault = self._faults.due("power_cut", fits=lambda fault: fault.integer("writes") == self._writes)
        self._writes += 1
        if fault is not None:
            asyncio.get_running_loop().call_soon(self._act, fault)
        return fault is not None
