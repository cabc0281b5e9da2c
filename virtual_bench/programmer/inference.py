"""Which phase of the station's procedure a command line belongs to, judged by what it does to which board."""

from pathlib import Path

from virtual_bench.board import Board
from virtual_bench.image import Image
from virtual_bench.phases import Phase
from virtual_bench.programmer.arguments import Action, CommandLine, Read, Reset, Run, SetOptions, Write


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
            return _phase_of_application(directory / action.path, action.address, board)
        case Read(address=address) if board.external.holds(address) and board.provisioned:
            return Phase.FLASH_OPERATIONAL
        case SetOptions():
            return Phase.LOCK
        case _:
            return None


def _phase_of_application(path: Path, address: int, board: Board) -> Phase:
    """The image tells; where it cannot, a board that has no DAC yet needs the provisioning firmware."""
    try:
        image = Image.beginning(path.read_bytes(), address)
    except OSError:  # the programmer will say so
        image = None
    provisioning = image.kind.provisioning if image else not board.provisioned
    return Phase.FLASH_PROVISIONER if provisioning else Phase.FLASH_OPERATIONAL
