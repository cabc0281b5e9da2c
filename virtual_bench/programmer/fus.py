# SPDX-License-Identifier: Apache-2.0
"""The commands for the coprocessor's upgrade service (FUS), through ST's operator, which overwrites the application."""

from typing import NoReturn

from virtual_bench.board import stack_image
from virtual_bench.board.board import Board
from virtual_bench.programmer.commands import (
    DeleteStack,
    FUSAction,
    ShowFUSOperator,
    ShowFUSState,
    StartFUS,
    StartStack,
    Upgrade,
    Write,
)
from virtual_bench.programmer.download import Download, content
from virtual_bench.programmer.option_setting import set_options
from virtual_bench.programmer.process import Failed, Process

OPERATOR = "0x495_FUS_Operator.bin"
OPERATOR_VERSION = "3.0.0"
OPERATOR_ADDRESS, OPERATOR_SIZE = 0x08000000, 0x2000
BOOT_OPTIONS = (("nSWboot0", 0), ("nboot0", 1), ("nboot1", 1))
THE_OPTIONS = "set nSWboot0=0 nboot1=1 nboot0=1"
UNKNOWN = "Error: FUS_STATE_ERR_UNKNOWN: Unknown error"
NOT_FOUND = "Error: FUS_STATE_IMG_NOT_FOUND: Image not found"
NO_SPACE = "Error: FUS_STATE_NOT_ENOUGH_SPACE: Not enough space"
NOT_IDLE = "Error: Could not start service since FUS is not in IDLE state"
NOT_AUTHENTIC = "Error: Firmware not authentic!"
DELETE_FAILED = (
    "Error: FUS_ERROR_INVALID_OB\nError: Old Firmware delete failed"  # seen with 2.22 although the stack was deleted
)
AMBIGUOUS = "Error: fwupgrade Command Failure"
# A vector table whose reset handler only waits for interrupts: the real operator, too, is silent after its work.
_SLEEPS = bytes.fromhex("00000320 09000008 30bf fde7")
OPERATOR_CONTENT = _SLEEPS + b"stands where ST's FUS operator stands ".ljust(OPERATOR_SIZE - len(_SLEEPS), b"\x5a")


class FUS:
    """The upgrade service of one board, under one connection."""

    def __init__(self, process: Process, board: Board) -> None:
        self._process = process
        self._board = board
        self._radio = board.radio
        self._profile = process.profile

    async def perform(self, action: FUSAction) -> None:
        """Performs one command. Raises Failed with the tool's error lines, and Stopped."""
        say = self._process.say
        match action:
            case ShowFUSOperator():
                say(f"FUS Operator version : {OPERATOR_VERSION}")
            case StartFUS():
                await self._start()
                self._check_idle()
                if not self._board.faults.due("version_word_garbage"):
                    self._radio.tell_words()
                say("FUS_STATE_IDLE\nstartfus command execution finished")
            case ShowFUSState():
                await self._start()
                say("FUS_STATE_FW_UPGRD_ONGOING" if self._radio.busy else "FUS_STATE_IDLE")
                say("Read FUS state command execution finished")
            case DeleteStack():
                await self._delete()
                say("fwdelete command execution finished")
            case Upgrade():
                await self._upgrade(action)
            case StartStack():
                await self._operate()
                await self._start_stack()
                say("startwirelessStack command execution finished")

    async def _start(self) -> None:
        """Starts the upgrade service: a coprocessor leaves its stack for it when the tool asks for its state twice."""
        await self._operate()
        faults = self._board.faults
        if faults.lasting("fus_unknown") or faults.due("startfus_fails"):
            await self._give_up()
        await self._reconnect(self._profile.fus_start)
        self._radio.start_fus()

    async def _operate(self) -> None:
        """Sets the option bytes and starts the operator, which overwrites the application."""
        process, board = self._process, self._board
        try:
            await set_options(process, board, BOOT_OPTIONS)
        except Failed as exc:
            raise Failed(f"{exc}\nFailed to {THE_OPTIONS}") from exc
        process.say(f"Succeeded to {THE_OPTIONS}")
        board.hold_boot()
        await Download(process, board, Write(OPERATOR, OPERATOR_ADDRESS), OPERATOR_CONTENT).run(loader_works=False)
        self._radio.forget_words()
        process.say("Application is running, Please Hold on...")

    async def _reconnect(self, seconds: float) -> None:
        """Waits for the operator's work and reconnects to read its result."""
        await self._process.pause(seconds)
        self._process.say("Reconnecting...\nReconnected !")

    async def _give_up(self) -> NoReturn:
        """Fails as the tool does when the operator reads an unknown state."""
        await self._reconnect(self._profile.fus_failure)
        raise Failed(UNKNOWN)

    def _check_idle(self) -> None:
        if self._radio.busy:
            raise Failed(NOT_IDLE)

    async def _check_active(self) -> None:
        """Raises Failed unless the upgrade service runs and is idle."""
        if self._radio.stack_runs or self._board.faults.lasting("fus_unknown"):
            await self._give_up()
        self._check_idle()

    async def _delete(self) -> None:
        self._process.say("Old wireless stack delete ...")
        await self._operate()
        await self._check_active()
        if self._radio.stack is None:
            await self._reconnect(self._profile.fus_start)
            self._process.say("Warning: FUS_STATE_IMG_NOT_FOUND, Flash already empty !")
        else:
            self._radio.begin(self._process.bench.clock.scaled(self._profile.fus_delete), self._board.delete_stack)
            await self._reconnect(self._profile.fus_delete)
            self._radio.finish()
            if self._board.faults.due("fwdelete_fails_but_did"):
                raise Failed(DELETE_FAILED)
        self._process.say("Firmware delete Success")

    async def _start_stack(self) -> None:
        if self._board.faults.lasting("fus_unknown"):
            await self._give_up()
        self._check_idle()
        await self._reconnect(self._profile.stack_start)
        if not self._radio.start_stack():
            raise Failed(NOT_FOUND)
        self._process.say("FusStartWS activated successfully")

    async def _upgrade(self, action: Upgrade) -> None:
        process = self._process
        image = content(process, action.path)
        if action.first_install:
            await self._operate()
            await self._check_active()
        else:
            await self._delete()
        process.say(process.bench.version.image_for_coprocessor.format(address=action.address))
        write = Write(action.path, action.address, action.verify)
        await Download(process, self._board, write, image).run(loader_works=False)
        process.say("Firmware Upgrade process begins...\nApplication is running, Please Hold on...")
        await self._install(image, action.address)
        process.say("Firmware Upgrade Success")
        if action.start_stack:
            await self._start_stack()
        process.say("fwupgrade command execution finished")

    async def _install(self, image: bytes, address: int) -> None:
        """Installs the image; the upgrade service finishes the work even if the tool ends earlier."""
        process, board, faults = self._process, self._board, self._board.faults
        version, (page, offset) = (
            stack_image.authentic_version(image),
            divmod(address - board.internal.base, board.internal.page),
        )
        hangs = faults.due("fwupgrade_hang")
        if hangs is not None and hangs.text("done") == "no":
            await process.hang_as(hangs)
        error = _refusal(version, offset, address) or (NOT_AUTHENTIC if faults.due("fwupgrade_not_authentic") else None)
        if error is None and version is not None:
            seconds = process.bench.clock.scaled(self._profile.fus_upgrade)
            self._radio.begin(seconds, lambda: board.install(version, page))
        if hangs is not None:
            await process.hang_as(hangs)
        await self._reconnect(self._profile.fus_upgrade)
        self._radio.finish()
        if error := error or (AMBIGUOUS if faults.due("fwupgrade_fails_but_did") else None):
            raise Failed(error)


def _refusal(version: int | None, offset: int, address: int) -> str | None:
    """The error with which the upgrade service refuses an image in flash, if it does."""
    if offset:
        return NOT_FOUND  # it only looks at the beginning of pages
    if version is None:
        return NOT_AUTHENTIC
    return NO_SPACE if address < OPERATOR_ADDRESS + OPERATOR_SIZE else None
