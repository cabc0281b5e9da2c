# SPDX-License-Identifier: Apache-2.0
"""The effect of each action of a command line on the connected board, and the tool's output."""

from virtual_bench.board.board import UID_ADDRESS, Board
from virtual_bench.hardware.radio_core import WINDOW
from virtual_bench.programmer import output
from virtual_bench.programmer.commands import (
    Action,
    DisplayOptions,
    Erase,
    Halt,
    Loader,
    Read,
    Reset,
    Run,
    SetOptions,
    Show,
    Write,
)
from virtual_bench.programmer.download import Download, content
from virtual_bench.programmer.erasure import Erasure
from virtual_bench.programmer.fus import FUS
from virtual_bench.programmer.option_setting import DESCRIBED, set_options
from virtual_bench.programmer.process import Failed, Process

VECTORS = 8  # bytes: stack pointer and first instruction
LOADER = "S25FL128S_STM32WB5MM-DK.stldr"


class Actions:
    """The actions on one board, under one connection."""

    def __init__(self, process: Process, board: Board) -> None:
        self._process = process
        self._board = board
        self._profile = process.profile
        self._loader_works = False

    async def perform(self, action: Action) -> None:
        """Performs one action. Raises Failed with the tool's error lines, and Stopped."""
        match action:
            case Loader():
                await self._load(action)
            case Write():
                await self._write(action)
            case Erase():
                await Erasure(self._process, self._board, action).run(external=self._loader_works)
            case Read():
                await self._read(action)
            case Show():
                await self._show(action)
            case DisplayOptions():
                self._process.say(f"\nUPLOADING OPTION BYTES DATA ...{DESCRIBED}\n")
                self._process.say(self._board.options.listing())
            case SetOptions():
                await set_options(self._process, self._board, action.values)
            case Reset():
                await self._reset(action)
            case Run() | Halt():
                self._control(action)
            case _:
                await FUS(self._process, self._board).perform(action)

    async def _write(self, action: Write) -> None:
        file = content(self._process, action.path)
        download = Download(self._process, self._board, action, file)
        if self._board.core.has_ram(action.address, len(file)):
            await download.into_ram()
        else:
            await download.run(loader_works=self._loader_works)

    def _control(self, action: Run | Halt) -> None:
        if isinstance(action, Halt):
            self._board.core.halt()
            self._process.say("Core halted")
            return
        if self._board.core.has_ram(action.address, VECTORS):
            if not self._board.faults.due("start_ignored"):
                self._board.start(action.address)
        else:
            self._board.reset()
        self._process.say(f"RUNNING Program ... \n  Address:      : 0x{action.address:X}")
        self._process.say("Application is running, Please Hold on...\nStart operation achieved successfully")

    async def _load(self, action: Loader) -> None:
        """Loads the external loader.

        A loader for another part is accepted silently and has no effect, as users of the real tool report.
        """
        path = self._process.directory / action.path
        if not path.is_file():
            raise Failed(f"Error: {action.path} does not exist")
        if self._board.faults.due("loader_rejected"):
            raise Failed(f"Error: Flash loader {path} cannot be loaded.")
        self._loader_works = path.resolve().name == LOADER and not self._board.faults.due("loader_ignored")
        await self._process.pause(self._profile.external_loader)

    async def _read(self, action: Read) -> None:
        process = self._process
        process.say(f"UPLOADING ...\n  Size          : {action.size} Bytes\n  Address       : 0x{action.address:X}\n")
        data = self._memory(action.address, action.size)
        process.say("Read progress:")
        begun = process.modelled
        with process.using_usb(self._profile.swd_read):
            await process.transfer(action.size, self._profile.swd_read)
        process.show_progress(1.0)
        try:
            (process.directory / action.path).write_bytes(data)
        except OSError as exc:
            raise Failed(f"Error: {action.path} cannot be written") from exc
        process.say(
            f"\nData read successfully\nTime elapsed during the read operation is: {output.elapsed(process.modelled - begun)}"
        )

    async def _show(self, action: Show) -> None:
        process = self._process
        size = -(-action.size // 4) * 4
        data = self._memory(action.address, size)
        with process.using_usb(self._profile.swd_read):
            await process.transfer(size, self._profile.swd_read)
        process.say(f"Reading {8 * action.width}-bit memory content")
        process.say(
            f"  Size          : {size} Bytes\n  {process.bench.version.address_of_memory} 0x{action.address:08X}\n"
        )
        process.say(output.dump(action.address, data, action.width) + "\n")

    async def _reset(self, action: Reset) -> None:
        await self._process.pause(self._profile.reset)
        self._board.reset()
        if self._process.bench.version.resets_before_hard or not action.hard:
            self._process.say("MCU Reset\n")
        self._process.say(f"{'Hard' if action.hard else 'Software'} reset is performed")

    def _memory(self, address: int, size: int) -> bytes:
        """The bytes that the debug port reads. Raises Failed if there is no memory, or if it is protected."""
        if address == UID_ADDRESS and size <= len(self._board.uid):
            return self._board.uid[:size]
        flash, protected = self._board.memory(address, size), self._board.options.protected
        if address in WINDOW and address + size <= WINDOW.stop and not protected:
            return self._board.radio_memory(address, size)
        if flash is None or protected:
            raise Failed("Error: Data read failed")
        if flash is self._board.internal:
            return flash.read(address, size)
        self._board.core.give_way()  # the loader runs in the firmware's memory
        reached = self._loader_works and not self._board.faults.lasting("external_flash_absent")
        return flash.read(address, size) if reached else bytes(size)  # without the loader: zeros, and no error
