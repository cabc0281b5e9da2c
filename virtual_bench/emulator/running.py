# SPDX-License-Identifier: Apache-2.0
"""Lets a chip run beside others in the bench's event loop, in step with the bench's clock."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from virtual_bench.emulator.chip import Chip, FromRAM, Outcome, PowerLost
from virtual_bench.emulator.chip_time import NEVER, SECOND
from virtual_bench.emulator.cpu import Crash
from virtual_bench.hardware.hardware import Hardware
from virtual_bench.timing.clock import SHORTEST_PERIOD

TOLERATED_LEAD = 0.005  # real seconds by which a chip may be ahead of the bench
PATIENCE = 200  # turns that a core may take without sleeping
REST = 50  # pause after each further turn, as a multiple of the turn's length


async def run(hardware: Hardware, started: Callable[[Chip], None], loaded: FromRAM | None = None) -> str | None:
    """Runs a firmware until cancelled: first the one that was `loaded` into RAM, after a reset the one in flash.

    `started` gets the chip. If the chip stops, returns the reason.
    """
    await hardware.clock.sleep(hardware.profile.boot)
    try:
        while True:
            chip, loaded = Chip(hardware, loaded), None
            started(chip)
            await _Run(hardware, chip).until_reset()
    except PowerLost:
        return None
    except Crash as crash:
        return str(crash)


class _Run:
    """One chip between two resets."""

    def __init__(self, hardware: Hardware, chip: Chip) -> None:
        self._hardware = hardware
        self._chip = chip
        self._clock = hardware.clock
        self._started = self._clock.now()
        self._awake = 0  # turns since it last slept

    async def until_reset(self) -> None:
        """Returns when the firmware asks for a reset. Raises Crash."""
        hardware, chip = self._hardware, self._chip
        while True:
            chip.usart.arrive(hardware.uart.take())
            async with hardware.turn:
                began = self._clock.now()
                outcome = chip.run()
                took = self._clock.now() - began
            await self._keep_step()
            if said := chip.usart.take_sent():
                hardware.uart.send(said)
            match outcome:
                case Outcome.RESET:
                    return
                case Outcome.SLEEPS:
                    self._awake = 0
                    await self._sleep()
                case Outcome.RAN:
                    self._awake += 1
                    await asyncio.sleep(took * REST if self._awake > PATIENCE else 0)

    async def _keep_step(self) -> None:
        """Waits until the bench's clock has caught up with the chip's."""
        lead = self._due(self._chip.time.now) - self._clock.now()
        if self._clock.scaled(1) and lead > TOLERATED_LEAD:
            await asyncio.sleep(lead)

    async def _sleep(self) -> None:
        """Waits until the chip's alarm is due, or bytes arrive."""
        time, alarm = self._chip.time, self._chip.wakes_at()
        shortest = min((alarm - time.now) / SECOND, SHORTEST_PERIOD)
        until = None if alarm == NEVER else max(self._due(alarm), self._clock.now() + shortest)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._hardware.uart.arrival()
                if scale := self._clock.scaled(1):
                    time.reach(min(alarm, round((self._clock.now() - self._started) / scale * SECOND)))
                return
        time.reach(alarm)

    def _due(self, moment: int) -> float:
        """The bench's time at a moment of the chip's clock."""
        return self._started + self._clock.scaled(moment / SECOND)
