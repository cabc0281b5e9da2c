# SPDX-License-Identifier: Apache-2.0
"""Infers the phase of the station's procedure from a command line and its board."""

from functools import lru_cache
from pathlib import Path

from virtual_bench.board.board import Board
from virtual_bench.board.option_bytes import BOOT, BY_NAME
from virtual_bench.faults.phases import Phase
from virtual_bench.programmer.commands import (
    Action,
    CommandLine,
    DeleteStack,
    DisplayOptions,
    Erase,
    FUSAction,
    Loader,
    Read,
    Reset,
    Run,
    SetOptions,
    Show,
    ShowFUSState,
    StartFUS,
    StartStack,
    Upgrade,
    Write,
)

PROVISIONERS_WORD, PRODUCTS_WORD = b"finish:", b"operational"  # the text that each firmware sends on the serial port


def phases_of(line: CommandLine, board: Board, directory: Path) -> list[Phase]:
    """The phases that a run belongs to; none if it only starts the board."""
    phases = [phase for action in line.actions if (phase := phase_of(action, line, board, directory))]
    if phases or any(isinstance(action, Reset | Run) for action in line.actions):
        return phases
    reads_back = board.options_asked and board.faults.phase is Phase.COPROCESSOR
    return [Phase.COPROCESSOR if reads_back else Phase.RECOGNISE]


def note_options(line: CommandLine, board: Board) -> None:
    """Whether a run reads option bytes back: it only reads, and follows a run that set only option bytes."""
    if changes := [action for action in line.actions if not isinstance(action, Show | DisplayOptions)]:
        board.options_asked = all(isinstance(action, SetOptions) for action in changes)


def phase_of(action: Action, line: CommandLine, board: Board, directory: Path) -> Phase | None:
    """The phase that an action belongs to, if the action shows it."""
    match action:
        case Erase() if any(isinstance(other, Loader) for other in line.actions):
            return Phase.FLASH_DATA
        case Write():
            return _phase_of_write(action, board, directory)
        case Read(address=address) if board.external.holds(address) and board.provisioned:
            return Phase.FLASH_OPERATIONAL
        case SetOptions():
            return _phase_of_options(action, line, board)
        case StartFUS() | ShowFUSState() | Upgrade() | DeleteStack() | StartStack():
            return Phase.COPROCESSOR
        case _:
            return None


def _phase_of_options(action: SetOptions, line: CommandLine, board: Board) -> Phase:
    """The phase of option bytes; those that select the boot memory belong to the coprocessor's phase."""
    names = {option.name for name, _ in action.values if (option := BY_NAME.get(name.lower()))}
    under_way = board.radio.boot_held or board.faults.phase is Phase.COPROCESSOR
    belongs = under_way or any(isinstance(other, FUSAction) for other in line.actions)
    return Phase.COPROCESSOR if belongs and names and names <= BOOT else Phase.LOCK


def _phase_of_write(action: Write, board: Board, directory: Path) -> Phase | None:
    if board.external.holds(action.address):
        return Phase.FLASH_DATA
    in_code_memory = board.internal.holds(action.address) or board.core.has_ram(action.address, 1)
    return _phase_of_application(directory / action.path, board) if in_code_memory else None


def _phase_of_application(path: Path, board: Board) -> Phase:
    """The phase of a written image, by the texts in it.

    Without them, a board without a DAC needs the provisioning firmware.
    """
    words = _words_of(path)
    if PROVISIONERS_WORD in words:
        return Phase.FLASH_PROVISIONER
    if PRODUCTS_WORD in words or board.provisioned:
        return Phase.FLASH_OPERATIONAL
    return Phase.FLASH_PROVISIONER


def _words_of(path: Path) -> tuple[bytes, ...]:
    try:
        file = path.stat()
        return _words_in(path, file.st_ino, file.st_size, file.st_mtime_ns)
    except OSError:  # the programmer itself will report the error
        return ()


@lru_cache
def _words_in(path: Path, *_version: int) -> tuple[bytes, ...]:
    """Which of the two texts are in this version of a file: a line writes the same few files to all its boards."""
    image = path.read_bytes()
    return tuple(word for word in (PROVISIONERS_WORD, PRODUCTS_WORD) if word in image)
