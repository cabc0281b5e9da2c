"""Which phase of the station's procedure a command line belongs to, judged by what it does to which board."""

from pathlib import Path

from virtual_bench.board import Board
from virtual_bench.phases import Phase
from virtual_bench.programmer.arguments import Action, CommandLine, Read, Reset, Run, SetOptions, Write

PROVISIONERS_WORD, PRODUCTS_WORD = b"finish:", b"operational"  # what either says of itself on the serial port


def phases_of(line: CommandLine, board: Board, directory: Path) -> list[Phase]:
    """The phases of a run; none if it does nothing but start the board."""
    phases = [phase for action in line.actions if (phase := phase_of(action, board, directory))]
    starts = any(isinstance(action, Reset | Run) for action in line.actions)
    return phases if phases or starts else [Phase.RECOGNISE]


def phase_of(action: Action, board: Board, directory: Path) -> Phase | None:
    """The phase that an action belongs to, if it tells."""
    match action:
        case Write(address=address) if board.external.holds(address):
            return Phase.FLASH_DATA
        case Write() if board.internal.holds(action.address):
            return _phase_of_application(directory / action.path, board)
        case Read(address=address) if board.external.holds(address) and board.provisioned:
            return Phase.FLASH_OPERATIONAL
        case SetOptions():
            return Phase.LOCK
        case _:
            return None


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
