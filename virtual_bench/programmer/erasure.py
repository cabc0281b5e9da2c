# SPDX-License-Identifier: Apache-2.0
"""The conditions for erasing flash, and `-e`, which erases the internal flash, or with a loader the external one."""

from virtual_bench.board.board import Board
from virtual_bench.hardware.flash import Flash
from virtual_bench.programmer import output
from virtual_bench.programmer.commands import Erase
from virtual_bench.programmer.process import Failed, Process

FLASH_VOLTS = 1.71  # below that the chip neither erases nor programs
NOT_ERASED = "Error: failed to erase memory\nError: failed to erase memory"  # printed twice by the real tool too
MASS_ERASE_FAILED = "Error: Mass erase operation failed. Please verify flash protection"


def can_be_erased(board: Board, flash: Flash, pages: range) -> bool:
    """Whether supply, protection and the coprocessor let these pages be erased."""
    options, low_voltage = board.options, board.faults.lasting("low_voltage")
    if options.protected or (low_voltage and low_voltage.number("volts") < FLASH_VOLTS):
        return False
    return flash is board.external or not (options.write_protected(pages) or options.secure(pages))


async def take_time_to_erase(process: Process, board: Board, flash: Flash, seconds: float) -> None:
    """Raises Failed after a long time if no external flash answers, and Stopped."""
    absent = board.faults.lasting("external_flash_absent") if flash is board.external else None
    await process.pause(absent.number("seconds") if absent else seconds)
    if absent:
        raise Failed(NOT_ERASED)


class Erasure:
    """`-e` on one board."""

    def __init__(self, process: Process, board: Board, action: Erase) -> None:
        self._process = process
        self._board = board
        self._sectors = action.sectors

    async def run(self, *, external: bool) -> None:
        """Carries out the erase. Raises Failed and Stopped."""
        self._board.core.give_way()
        flash = self._board.external if external else self._board.internal
        if self._sectors:
            for sector in self._sectors:
                await self._erase(flash, range(sector, sector + 1))
        else:
            await self._erase_all(flash)

    async def _erase(self, flash: Flash, pages: range) -> None:
        process, address, size = self._process, flash.base + pages.start * flash.page, len(pages) * flash.page
        if not flash.holds(address, size) or not can_be_erased(self._board, flash, pages):
            raise Failed(NOT_ERASED)
        profile, external = process.profile, flash is self._board.external
        process.say(output.sectors("external" if external else "internal", pages))
        seconds = profile.external_erase(len(pages)) if external else profile.internal_erase(len(pages))
        await take_time_to_erase(process, self._board, flash, seconds)
        flash.erase(address, size)

    async def _erase_all(self, flash: Flash) -> None:
        """Erases the internal flash except the coprocessor's pages, which the tool reports as a failure."""
        self._process.say("Mass erase ...\n")
        own = self._board.options.values["SFSA"] if flash is self._board.internal else flash.size // flash.page
        try:
            await self._erase(flash, range(own))
        except Failed as exc:
            raise Failed(MASS_ERASE_FAILED) from exc
        if flash is self._board.internal:
            raise Failed(MASS_ERASE_FAILED)
        self._process.say("Mass erase successfully achieved")
