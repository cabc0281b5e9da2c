# SPDX-License-Identifier: Apache-2.0
"""A model of the calls of ST's tool, as a program: it lists the boards that are plugged in, and provisions them all.

Written for the benchmark, none of it is ST's. The facts are those of X-CUBE-MATTER 1.4.1, folder Utilities/DataFactory: in
`genFactoryData.py` (below: G) and `STM32_provisioning.py` (below: P), with `--provisioning 1 --binary … --mode test` and without
a coprocessor's firmware. What such a run proves, and what it does not, is in `proofs.py`. It runs in the folder of the
serial ports and prints one line of JSON. Its exit status is 0 whatever has failed, as ST's.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import serial

from benchmarks.bound import READ_WITHIN, SLEEP

APPLICATION, FACTORY_DATA = "0x08000000", "0x901C0000"  # the addresses in ST's example command line
QUIETLY = ("--quietMode", "--verbosity 1")  # G, flashBinary: the second is one argument
BAUD = 115200  # P, Provisioning
FINISHED = re.compile(rb"finish:(\d{3})")  # P, read_from_com_port
# G, list_serial_ports: a board is one whose port has a board's name and a probe in this section of the list.
SECTION = re.compile(r"=====  UART Interface  =====(.*?)$", re.DOTALL)
BLOCK = re.compile(r"Board Name\s*:\s*([^\s\r\n]+)\nST-LINK SN:\s*([^\s\r\n]+)\nPort:\s*([^\s\r\n]+)\n", re.DOTALL)


def threads() -> int:
    """The boards at work at once: G, main makes a ThreadPoolExecutor of Python's own width, and gives it a task a board."""
    return min(32, (os.cpu_count() or 1) + 4)


@dataclass(frozen=True, slots=True)
class Seen:
    """A board of the list."""

    probe: str
    port: str


@dataclass(frozen=True, slots=True)
class Done:
    """What has become of a board; moments are in Unix seconds."""

    probe: str
    port: str
    began: float
    ended: float
    statuses: tuple[int, ...]
    """The exit statuses at which the tool looks, of the writes."""
    said: str | None
    """The firmware's three digits, or None if the tool did not come to listen."""


@dataclass(frozen=True, slots=True)
class Tool:
    """The programmer, and what all boards get."""

    programmer: Path
    provisioner: Path
    data: Path
    application: Path

    def boards(self) -> list[Seen]:
        """G, list_serial_ports: one list before the first board, in the order of the ports' numbers."""
        said = subprocess.run([self.programmer, "-l"], capture_output=True, text=True, check=False).stdout
        section = SECTION.search(said)
        found = [Seen(probe, port) for _, probe, port in BLOCK.findall(section[1] if section else "")]
        return sorted(found, key=lambda seen: int(re.sub(r"\D", "", seen.port)))

    def provision(self, board: Seen) -> Done:
        """G, globalProcess: provisioning firmware, factory data, the script, application. A write that fails ends it."""
        began, statuses, said = time.time(), [], None
        data = Path(f"{self.data.stem}_{board.port}.bin").absolute()  # G, replace_extension_with: a file for each board
        for file, address in ((self.provisioner, APPLICATION), (data, FACTORY_DATA), (self.application, APPLICATION)):
            if file is data:
                data.write_bytes(self.data.read_bytes())  # G, writeBinary: the same records for every board
            statuses.append(self._flash(board, file, address))
            if statuses[-1]:
                break
            if file is data:
                data.unlink()
                said = finished(board.port)
                if said != "000":
                    break
        return Done(board.probe, board.port, began, time.time(), tuple(statuses), said)

    def _flash(self, board: Seen, file: Path, address: str) -> int:
        """G, flashBinary: a run that writes one file and resets, always with the external loader; then one that only resets.

        The tool looks at the first run's exit status alone, and at nothing of the second.
        """
        loader = self.programmer.parent / "ExternalLoader" / "S25FL128S_STM32WB5MM-DK.stldr"
        status = self._run(board, "-el", str(loader), "-d", str(file), address, "-V", *QUIETLY, "-rst")
        if status == 0:
            self._run(board, "-rst", *QUIETLY)
        return status

    def _run(self, board: Seen, *arguments: str) -> int:
        connect = ("-c", "port=SWD", f"sn={board.probe}", "mode=UR")
        return subprocess.run([self.programmer, *connect, *arguments], capture_output=True, check=False).returncode


def is_free(port: str) -> bool:
    """G, check_port_availability: each port is opened and closed, one after the other, before the first board."""
    try:
        serial.Serial(port, BAUD, timeout=READ_WITHIN).close()
    except serial.SerialException:
        return False
    return True


def finished(port: str) -> str:
    """P, Provisioning: opens the port when the board has been reset, and waits for the firmware's word, for ever.

    The word has no end of line, so each `readline` lasts until a second has passed without a byte; half a second of sleep
    follows each that has not brought it.
    """
    with serial.Serial(port, BAUD, timeout=READ_WITHIN) as line:
        while (found := FINISHED.search(line.readline())) is None:
            time.sleep(SLEEP)
        return found[1].decode()


def main(arguments: Sequence[str]) -> None:
    """Provisions all boards, and prints what has become of them."""
    tool = Tool(*(Path(each) for each in arguments))
    began = time.time()
    listed = tool.boards()
    boards = [board for board in listed if is_free(board.port)]
    ready = time.time()
    with ThreadPoolExecutor(threads()) as pool:
        done = list(pool.map(tool.provision, boards))
    said = {"began": began, "listed": ready, "ended": time.time(), "threads": threads()}
    sys.stdout.write(json.dumps({**said, "boards": [asdict(each) for each in done]}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
