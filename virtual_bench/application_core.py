"""The application core of one board: without power, halted, or running what stands in its flash."""

import asyncio

from virtual_bench.firmware import model
from virtual_bench.firmware.hardware import Hardware
from virtual_bench.image import Image


class ApplicationCore:
    """What reset, halt and power do to the firmware."""

    def __init__(self, hardware: Hardware, tasks: asyncio.TaskGroup, name: str) -> None:
        self._hardware = hardware
        self._tasks = tasks
        self._name = name
        self._running: asyncio.Task[None] | None = None

    def reset(self) -> None:
        """Starts the firmware from its reset vector, whatever ran before."""
        self.halt()
        self._running = self._tasks.create_task(model.run(self._hardware), name=self._name)

    def halt(self) -> None:
        if self._running is not None:
            self._running.cancel()
            self._running = None

    def state(self) -> str:
        """What runs, in a word or two."""
        if self._running is None:
            return "halted"
        image = Image.standing_in(self._hardware.internal)
        return f"{image.kind} {image.version}" if image else "nothing"
