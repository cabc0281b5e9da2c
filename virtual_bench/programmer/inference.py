"""Which phase of the station's procedure a command line belongs to, judged by what it does to which board."""

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

PROVISIONERS_WORD, PRODUCTS_WORD = b"finish:", b"operational"  # what either says of itself on the serial port


def phases_of(line: CommandLine, board: Board, directory: Path) -> list[Phase]:
    """The phases of a run; none if it does nothing but start the board."""
    phases = [phase for action in line.actions if (phase := phase_of(action, line, board, directory))]
    if phases or any(isinstance(action, Reset | Run) for action in line.actions):
        return phases
    reads_back = board.options_asked and board.faults.phase is Phase.COPROCESSOR
    return [Phase.COPROCESSOR if reads_back else Phase.RECOGNISE]


def note_options(line: CommandLine, board: Board) -> None:
    """A run that only reads, behind one that changes no more than option bytes, reads them back."""
    if changes := [action for action in line.actions if not isinstance(action, Show | DisplayOptions)]:
        board.options_asked = all(isinstance(action, SetOptions) for action in changes)


def phase_of(action: Action, line: CommandLine, board: Board, directory: Path) -> Phase | None:
    """The phase that an action belongs to, if it tells."""
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
    """Those that decide where the application boots from belong to work on the coprocessor, before and after it."""
    names = {option.name for name, _ in action.values if (option := BY_NAME.get(name.lower()))}
    under_way = board.radio.boot_held or board.faults.phase is Phase.COPROCESSOR
    belongs = under_way or any(isinstance(other, FUSAction) for other in line.actions)
    return Phase.COPROCESSOR if belongs and names and names <= BOOT else Phase.LOCK


def _phase_of_write(action: Write, board: Board, directory: Path) -> Phase | None:
    if board.external.holds(action.address):
        return Phase.FLASH_DATA
    return _phase_of_application(directory / action.path, board) if board.internal.holds(action.address) else None


def _phase_of_application(path: Path, board: Board) -> Phase:
    """What the image can say tells; where it does not, a board that has no DAC yet needs the provisioning firmware."""
    try:
        image = path.read_bytes()
    except OSError:  # the programmer will say so
        image = b""
    if PROVISIONERS_WORD in image:
        return Phase.FLASH_PROVISIONER
    if PRODUCTS_WORD in image or board.provisioned:
        return Phase.FLASH_OPERATIONAL
    return Phase.FLASH_PROVISIONER
