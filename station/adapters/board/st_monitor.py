# SPDX-License-Identifier: Apache-2.0
"""Waits for ST's own provisioning firmware to say over the serial port that it has put certificates on the board."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from station.adapters.board import tty
from station.faults import UnitFault
from station.faults.unit import (
    MonitorBufferTooSmall,
    MonitorCodeUnknown,
    MonitorDataMissing,
    MonitorParameterWrong,
    MonitorSilent,
    MonitorStorageFailed,
)
from station.link import monitor

MEANINGS: Mapping[int, Callable[[], UnitFault]] = {
    monitor.DATA_MISSING: MonitorDataMissing,
    monitor.BUFFER_TOO_SMALL: MonitorBufferTooSmall,
    monitor.PARAMETER_WRONG: MonitorParameterWrong,
    monitor.STORAGE_FAILED: MonitorStorageFailed,
}


class Monitor:
    """Listens to one board's firmware (`interfaces.Partner`)."""

    def __init__(self, port: tty.TTY, within: float) -> None:
        self._port = port
        self._within = within

    async def deliver(self) -> None:
        """Returns when the firmware reports that it has finished; raises the fault for its result code.

        Discards bytes that arrived before the call: an earlier firmware, since overwritten, may have sent them.
        """
        self._port.discard()
        reader = monitor.FinishReader()
        try:
            async with asyncio.timeout(self._within):
                while (code := reader.feed(await self._port.receive())) is None:
                    pass
        except TimeoutError as exc:
            raise MonitorSilent(self._within) from exc
        if code == monitor.OK:
            return
        raise MEANINGS[code]() if code in MEANINGS else MonitorCodeUnknown(f"{code:03d}")


@asynccontextmanager
async def connected(path: str, baudrate: int, within: float, port_free_within: float = 0) -> AsyncIterator[Monitor]:
    """The firmware behind this serial port, for the block; raises `TTYUnavailable`."""
    async with tty.opened(path, baudrate, port_free_within) as port:
        yield Monitor(port, within)
