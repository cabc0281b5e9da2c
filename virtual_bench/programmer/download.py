# SPDX-License-Identifier: Apache-2.0
"""`-d FILE ADDRESS` with its `-v`: erase (not with `--skipErase`), program and verify, in the tool's words and time."""

from pathlib import PurePath

from virtual_bench.board.board import Board
from virtual_bench.faults.armed import Fault
from virtual_bench.hardware.flash import DOUBLE_WORD, Flash
from virtual_bench.programmer import output
from virtual_bench.programmer.commands import Write
from virtual_bench.programmer.erasure import NOT_ERASED, can_be_erased, take_time_to_erase
from virtual_bench.programmer.process import Failed, Process

STEPS = 10  # of a progress bar
NOT_IN_FLASH = "Error: failed to download Segment[0]\nError: failed to download the File"
NOT_WRITTEN = "If it's a Flash memory, it may be not erased or protected"


class Download:
    """One file on its way into one flash.

    Without the loader, or without the tool's database (`reached` is false), flash stays unchanged, and no error is printed.
    """

    def __init__(self, process: Process, board: Board, action: Write, content: bytes) -> None:
        self._process = process
        self._board = board
        self._action = action
        self._content = content
        self._pretended = False

    async def run(self, *, loader_works: bool) -> None:
        """Carries out the download. Raises Failed and Stopped."""
        self._describe()
        flash = self._board.memory(self._action.address, len(self._content))
        if flash is None:
            raise Failed(NOT_IN_FLASH)
        if self._action.erase:
            self._process.say(f"Erasing memory corresponding to {self._process.bench.version.segment} 0:")
        if not can_be_erased(self._board, flash, flash.pages(self._action.address, len(self._content))):
            raise Failed(NOT_ERASED if self._action.erase else self._not_downloaded)
        self._board.core.give_way()  # the programmer's loader runs in the firmware's memory
        self._pretended = self._board.faults.due("error_then_success") is not None
        reached = (flash is self._board.internal or loader_works) and not self._board.faults.due("database_missing")
        with self._process.using_usb(self._process.profile.swd_write):
            seconds = await self._program(flash, reached=reached)
        if self._pretended:
            self._process.say(f"Error: Failed to download data! {NOT_WRITTEN}")
        self._process.say("\nFile download complete")
        self._process.say(f"Time elapsed during download operation: {output.elapsed(seconds)}\n")
        if self._action.verify:
            await self._verify(flash, reached=reached)

    def _describe(self) -> None:
        say, name = self._process.say, PurePath(self._action.path).name
        again = self._board.faults.due("duplicate_lines") is not None
        for line in self._process.bench.version.opening:
            say("\n".join([line.format(file=name)] * (3 if again and line else 1)))
        say("\n".join([f"  File          : {name}"] * (2 if again else 1)))
        say(f"  Size          : {output.size(len(self._content), self._process.bench.version)}")
        say(f"  Address       : 0x{self._action.address:08X}\n\n")

    async def _program(self, flash: Flash, *, reached: bool) -> float:
        """Erases and programs; returns the seconds that this takes by the model."""
        process, profile, address = self._process, self._process.profile, self._action.address
        size, begun = len(self._content), process.modelled
        pages = flash.pages(address, size)
        if flash is self._board.internal:
            memory, erase, program = "internal", profile.internal_erase(len(pages)), profile.internal_program(size)
        else:
            memory, erase, program = "external", profile.external_erase(len(pages)), profile.external_program(size)
        await process.pause(profile.internal_loader)
        if reached and self._action.erase:
            process.say(output.sectors(memory, pages))
            await take_time_to_erase(process, self._board, flash, erase)
            if not self._pretended:
                flash.erase(address, size)
        process.say("Download in Progress:")
        if reached:
            await self._find_absent(flash)
        step = -(-size // (STEPS * DOUBLE_WORD)) * DOUBLE_WORD
        for start in range(0, size, step):
            part = self._content[start : start + step]
            await process.transfer(len(part), profile.swd_write, then=program * len(part) / size)
            if reached and not self._pretended:
                self._store(flash, address + start, part)
            process.show_progress((start + len(part)) / size)
            if start >= size // 2 and self._board.faults.due("glued_error"):
                process.say(f"{output.bar(0.5, process.bench.version)}Error:")
                raise Failed(f"Downloading 8-bit data failed...\n{NOT_WRITTEN}")
        process.say("")
        if fault := self._board.faults.due("verify_mismatch", fits=self._is_written):
            flash.flip(fault.integer("address") or address + size // 2)
        return process.modelled - begun

    async def _find_absent(self, flash: Flash) -> None:
        """Without an erase the first page tells that no external flash answers, after as long a time."""
        absent = self._board.faults.lasting("external_flash_absent") if flash is self._board.external else None
        if absent and not self._action.erase:
            await self._process.pause(absent.number("seconds"))
            raise Failed(self._not_downloaded)

    def _store(self, flash: Flash, address: int, part: bytes) -> None:
        """Programs a part. The internal flash refuses double words that are not erased; the external one only clears bits."""
        if flash is self._board.external:
            flash.program(address, part)
        elif flash.program_double_words(address, part) and not self._board.faults.due("refusal_unnoticed"):
            raise Failed(self._not_downloaded)

    @property
    def _not_downloaded(self) -> str:
        return output.not_downloaded(self._process.bench.version)

    def _is_written(self, fault: Fault) -> bool:
        where, start = fault.integer("address"), self._action.address
        return where is None or start <= where < start + len(self._content)

    async def into_ram(self) -> None:
        """Writes RAM over SWD: no loader, no erase. Raises Failed and Stopped."""
        process, address, content = self._process, self._action.address, self._content
        self._describe()
        if self._action.erase:
            process.say(
                f"Erasing memory corresponding to {process.bench.version.segment} 0:\nNot flash Memory : No erase done"
            )
        process.say("Download in Progress:")
        begun = process.modelled
        with process.using_usb(process.profile.swd_write):
            await process.transfer(len(content), process.profile.swd_write)
        torn = self._board.faults.due("ram_torn")
        self._board.core.load(address, content[: len(content) // 2] if torn else content)
        process.show_progress(1.0)
        process.say("\nFile download complete")
        process.say(f"Time elapsed during download operation: {output.elapsed(process.modelled - begun)}\n")
        if self._action.verify:
            await self._read_back()
            self._compare(self._board.core.loaded(address, len(content)))

    async def _verify(self, flash: Flash, *, reached: bool) -> None:
        await self._read_back()
        content = self._content
        found = flash.read(self._action.address, len(content)) if reached and not self._pretended else content
        self._compare(found)

    async def _read_back(self) -> None:
        process, profile = self._process, self._process.profile
        process.say("\n\nVerifying ...\n")
        if not process.quiet:
            process.say("\nRead progress:")
        if self._action.verify == "fast":
            await process.pause(profile.verify_fast)
        else:
            with process.using_usb(profile.swd_read):
                await process.transfer(len(self._content), profile.swd_read)
        process.show_progress(1.0)
        process.say("")

    def _compare(self, found: bytes) -> None:
        process, address, content = self._process, self._action.address, self._content
        if found != content:
            offset = next(offset for offset, byte in enumerate(found) if byte != content[offset])
            raise Failed(
                f"Error: Data mismatch found at address 0x{address + offset:08X} "
                f"(byte = 0x{found[offset]:02X} instead of 0x{content[offset]:02X})\n"
                "Error: Download verification failed"
            )
        process.say("Download verified successfully \n")


def content(process: Process, path: str) -> bytes:
    """The content of a file. Raises Failed if the file is missing or empty."""
    if not path.lower().endswith(".bin"):
        raise Failed(f"Error: {path}: only .bin files are read here")
    try:
        found = (process.directory / path).read_bytes()
    except OSError as exc:
        raise Failed(f"Error: {path} does not exist") from exc
    if not found:
        raise Failed(f"Error: {path} is empty")
    return found
