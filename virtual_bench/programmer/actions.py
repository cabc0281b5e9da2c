"""What each action of a command line does to the connected board, and what the tool says meanwhile."""

from virtual_bench.board import UID_ADDRESS, Board
from virtual_bench.option_bytes import BY_NAME, UNPROTECTED
from virtual_bench.programmer import output
from virtual_bench.programmer.arguments import (
    Action,
    DisplayOptions,
    Halt,
    Loader,
    Read,
    Reset,
    Run,
    SetOptions,
    Show,
    Write,
)
from virtual_bench.programmer.download import Download
from virtual_bench.programmer.process import Failed, Process

LOADER = "S25FL128S_STM32WB5MM-DK.stldr"
OPTION_BYTES = "\n\n  Bank          : 0x00\n  Address       : 0x58004020\n  Size          : 104 Bytes\n"


class Actions:
    """The actions on one board, under one connection."""

    def __init__(self, process: Process, board: Board) -> None:
        self._process = process
        self._board = board
        self._profile = process.profile
        self._loader_works = False

    async def perform(self, action: Action) -> None:
        """Raises Failed with the tool's error lines, and Stopped."""
        match action:
            case Loader():
                await self._load(action)
            case Write():
                await Download(self._process, self._board, action).run(loader_works=self._loader_works)
            case Read():
                await self._read(action)
            case Show():
                await self._show(action)
            case DisplayOptions():
                self._process.say(f"\nUPLOADING OPTION BYTES DATA ...{OPTION_BYTES}\n")
                self._process.say(self._board.options.listing())
            case SetOptions():
                await self._set_options(action)
            case Reset():
                await self._reset(action)
            case Run():
                self._board.reset()
                self._process.say("RUNNING Program ... \n  Address:      : 0x8000000")
                self._process.say("Application is running, Please Hold on...\nStart operation achieved successfully")
            case Halt():
                self._board.core.halt()
                self._process.say("Core halted")

    async def _load(self, action: Loader) -> None:
        """A loader of another part is accepted without a word, and does nothing: so the real tool's users report."""
        path = self._process.directory / action.path
        if not path.is_file():
            raise Failed(f"Error: {action.path} does not exist")
        self._loader_works = path.name == LOADER and not self._board.faults.due("loader_ignored")
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

    async def _set_options(self, action: SetOptions) -> None:
        process, values = self._process, self._board.options.values
        version, wanted = process.bench.version, {}
        for name, value in action.values:
            option = BY_NAME.get(name.lower())
            if option is None or not option.writable:
                raise Failed(f"Error: Option Byte: {name} cannot be set")
            if values[option.name] == value:
                told = name.lower() if version.lower_case_options else name
                process.say(f"Warning: Option Byte: {told}, value: 0x{value:X}, was not modified.")
            else:
                wanted[option.name] = value
        if not wanted:
            process.say("Warning: Option Bytes are unchanged, Data won't be downloaded")
            if version.tells_time_of_options:
                process.say(f"Time elapsed during option Bytes configuration: {output.elapsed(0)}")
            return
        process.say(f"UPLOADING OPTION BYTES DATA ...{OPTION_BYTES}\n")
        process.say(f"PROGRAMMING OPTION BYTES AREA ...{OPTION_BYTES}")
        await process.pause(self._profile.option_bytes)
        if self._board.faults.due("options_refused"):
            process.say("\nReconnecting...")
            await process.pause(self._profile.reconnect)
            name, value = next(iter(wanted.items()))
            raise Failed(
                f'Reconnected !\nError: Expected value for Option Byte "{name}": 0x{value:X}, found: 0x{values[name]:X}\n'
                "Error: Option Byte Programming failed"
            )
        if values["RDP"] != UNPROTECTED and wanted.get("RDP") == UNPROTECTED:
            self._board.internal.erase(self._board.internal.base, self._board.internal.size)
        values.update(wanted)
        self._board.save()
        self._board.core.halt()  # they are launched by a reset, and the connection is made anew
        process.say("\nReconnecting...")
        await process.pause(self._profile.reconnect)
        process.say(f"Reconnected !\n\n\nUPLOADING OPTION BYTES DATA ...{OPTION_BYTES}")
        process.say("OPTION BYTE PROGRAMMING VERIFICATION:\n\nOption Bytes successfully programmed")

    async def _reset(self, action: Reset) -> None:
        await self._process.pause(self._profile.reset)
        self._board.reset()
        if self._process.bench.version.resets_before_hard or not action.hard:
            self._process.say("MCU Reset\n")
        self._process.say(f"{'Hard' if action.hard else 'Software'} reset is performed")

    def _memory(self, address: int, size: int) -> bytes:
        """What the debug port reads. Raises Failed where there is nothing, or where it is kept out."""
        if address == UID_ADDRESS and size <= len(self._board.nameplate.uid):
            return self._board.nameplate.uid[:size]
        flash = self._board.memory(address, size)
        if flash is None or self._board.options.protected:
            raise Failed("Error: Data read failed")
        if flash is self._board.internal:
            return flash.read(address, size)
        self._board.core.halt()  # the loader takes the firmware's place
        return flash.read(address, size) if self._loader_works else bytes(size)  # without it, zeros and no word of it
