# SPDX-License-Identifier: Apache-2.0
"""The application core of one board: without power, halted, or running the firmware in its flash or in its RAM."""

import asyncio
from collections.abc import Callable

from virtual_bench.emulator import running
from virtual_bench.emulator.chip import Chip, FromRAM
from virtual_bench.emulator.sharing import RAM
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
        self._loaded: bytearray | None = None  # RAM, if a probe has loaded something into it

    def reset(self) -> None:
        """Stops a running firmware, and starts the firmware in flash from its reset vector."""
        self.give_way()
        self._running = self._tasks.create_task(self._run(), name=self._name)

    @staticmethod
    def has_ram(address: int, size: int) -> bool:
        """Whether the whole range lies in RAM."""
        return RAM[0] <= address and address + size <= sum(RAM)

    def load(self, address: int, data: bytes) -> None:
        """Stops a running firmware, and puts bytes into RAM. Other bytes that a probe has loaded stay."""
        self.halt()
        self._loaded = self._loaded or bytearray(RAM[1])
        start = address - RAM[0]
        self._loaded[start : start + len(data)] = data

    def loaded(self, address: int, size: int) -> bytes:
        """What a probe has loaded there; zeros if nothing."""
        start = address - RAM[0]
        return bytes(size) if self._loaded is None else bytes(self._loaded[start : start + size])

    def start(self, vectors: int) -> None:
        """Starts the firmware whose vectors are at this address in RAM, without a reset."""
        self.halt()
        loaded = FromRAM(bytes(self._loaded or bytes(RAM[1])), vectors)
        self._running = self._tasks.create_task(self._run(loaded), name=self._name)

    def give_way(self) -> None:
        """Stops a running firmware, and loses what was in RAM: to a reset, a power cut, or a loader of the programmer."""
        self.halt()
        self._loaded = None

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

    async def _run(self, loaded: FromRAM | None = None) -> None:
        self._crash = await running.run(self._hardware, self._started, loaded)
        if self._crash is not None:
            self._crashed(self._crash)
