# SPDX-License-Identifier: Apache-2.0
"""The application core of one board: without power, halted, or running the firmware in its flash."""

import asyncio
from collections.abc import Callable

from virtual_bench.emulator import running
from virtual_bench.emulator.chip import Chip
from virtual_bench.hardware.hardware import Hardware


class ApplicationCore:
    """Starts and stops the firmware by reset, halt and power."""

    def __init__(self, hardware: Hardware, tasks: asyncio.TaskGroup, name: str, crashed: Callable[[str], None]) -> None:
        self._hardware = hardware
        self._tasks = tasks
        self._name = name
        self._crashed = crashed
        self._running: asyncio.Task[None] | None = None
        self._crash: str | None = None
        self._chip: Chip | None = None

    def reset(self) -> None:
        """Stops a running firmware, and starts the firmware in flash from its reset vector."""
        self.halt()
        self._running = self._tasks.create_task(self._run(), name=self._name)

    def halt(self) -> None:
        self._crash = self._chip = None
        if self._running is not None:
            self._running.cancel()
            self._running = None

    def state(self) -> str:
        """The core's state, in a few words."""
        if self._running is None:
            return "halted"
        return f"crashed: {self._crash}" if self._crash else "running"

    def ram(self) -> bytes:
        """The content of the SRAM, while the core runs or after it crashed; empty before."""
        return self._chip.ram() if self._chip else b""

    def _started(self, chip: Chip) -> None:
        self._chip = chip

    async def _run(self) -> None:
        self._crash = await running.run(self._hardware, self._started)
        if self._crash is not None:
            self._crashed(self._crash)
