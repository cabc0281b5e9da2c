# SPDX-License-Identifier: Apache-2.0
"""The commands of ST's genFactoryData.py (X-CUBE-MATTER 1.4.1) and its expectations, with its folders and its threads.

The script is not in this tree: the tests use only its command lines and its two regular expressions, which are facts.
"""

import asyncio
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.builders.authority import PRODUCT, factory_data
from tests.virtual_bench.bench_client import APPLICATION, Station, image, station
from virtual_bench.bench.versions import VERSIONS
from virtual_bench.board.stack_image import made
from virtual_bench.server.server import Settings

BOARDS = 4
OLDER, NEWER = 0x01170003, 0x01180003
SECTION = r"=====  UART Interface  =====(.*?)$"
BLOCK = r"Board Name\s*:\s*([^\s\r\n]+)\nST-LINK SN:\s*([^\s\r\n]+)\nPort:\s*([^\s\r\n]+)\n"
QUIETLY = ["--quietMode", "--verbosity 1"]


@dataclass(frozen=True)
class Script:
    """The script on Linux: it joins `--programmerPath` and the rest by backslashes, and lists through a shell."""

    folder: Path

    @property
    def programmer(self) -> str:
        return f"{self.folder / 'STM32CubeProgrammer' / 'bin'}\\STM32_Programmer_CLI.exe"

    @property
    def loaders(self) -> list[str]:
        """The loader's path by default, and from the given folder."""
        place = self.folder / "STM32CubeProgrammer" / "bin"
        name = "S25FL128S_STM32WB5MM-DK.stldr"
        return [f"{place}\\ExternalLoader\\{name}", f"{place / 'ExternalLoader'}\\{name}"]

    def ports(self) -> list[tuple[str, str, str]]:
        """Board, probe and port, in the order of the ports' numbers."""
        said = subprocess.run([self.programmer, "-l"], shell=True, capture_output=True, text=True, check=False).stdout  # noqa: S602
        section = re.search(SECTION, said, re.DOTALL)
        assert section is not None, said
        found = re.compile(BLOCK, re.DOTALL).findall(section[1])
        return sorted(found, key=lambda each: int(re.search(r"\d+", each[2]).group()))  # type: ignore[union-attr]

    def run(self, probe: str, *arguments: str, swd: str = "SWD") -> int:
        connect = ["-c", f"port={swd}", f"sn={probe}", "mode=UR"]
        return subprocess.run([self.programmer, *connect, *arguments], cwd=self.folder, capture_output=True).returncode  # noqa: PLW1510

    def provision(self, probe: str) -> list[int]:
        """The exit statuses that the script checks: of the stack, the data and the firmware."""
        boot = ("-ob nSWboot0=0 nboot1=1 nboot0=1", "-ob nSWboot0=1 nboot1=1 nboot0=1")
        self.run(probe, "-startwirelessstack", *QUIETLY)
        seen = [self.run(probe, boot[0], "-startfus", "-fwupgrade", "stack.bin", "0x08094000", "-V", *QUIETLY)]
        self.run(probe, boot[1], "-rst", *QUIETLY, swd="swd")
        for loader, name, address in zip(
            self.loaders, ("data.bin", "firmware.bin"), ("0x901C0000", "0x08000000"), strict=True
        ):
            seen.append(self.run(probe, "-el", loader, "-d", name, address, "-V", *QUIETLY, "-rst"))
            self.run(probe, "-rst", *QUIETLY)
        return seen


async def everywhere(bench: Station, work: Callable[[Script, str], list[int]]) -> list[list[int]]:
    """Lists, and then calls this for every board at once, one thread each, in the order of the ports."""
    script = Script(bench.directory)
    bench.file("stack.bin", made(NEWER, 9000))
    bench.file("data.bin", factory_data(PRODUCT))
    bench.file("firmware.bin", image("st-demonstration-flash"))
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(None, script.ports)
    assert [name for name, _, _ in found] == ["STM32WB5MM-DK"] * BOARDS
    with ThreadPoolExecutor(BOARDS) as threads:
        runs = [loop.run_in_executor(threads, partial(work, script, probe)) for _, probe, _ in found]
        return list(await asyncio.gather(*runs))


def settings(directory: Path, version: str) -> Settings:
    return Settings(directory, probes=BOARDS, time_scale=0, version=VERSIONS[version], stack=OLDER)


@pytest.mark.parametrize("version", ["2.19", "2.22"])
async def test_sts_script_would_do_all_its_boards_at_once(tmp_path: Path, version: str) -> None:
    """The script needs a version that lists the boards of ports."""
    async with station(tmp_path, settings=settings(tmp_path, version)) as bench:
        boards = [bench.hub.plug(port) for port in range(1, BOARDS + 1)]
        assert await everywhere(bench, Script.provision) == [[0, 0, 0]] * BOARDS
        for board in boards:
            assert (board.radio.stack, board.options.values["nSWBOOT0"]) == (NEWER, 1)
            # The end mark moves, since the firmware adds certificates and key.
            given = factory_data(PRODUCT).rstrip(b"\xac")
            assert board.external.read(0x901C0000, len(given)) == given
            assert board.internal.read(APPLICATION, 64) == image("st-demonstration-flash")[:64]
            async with bench.line(board) as line:
                await line.until(b"finish:")


async def test_sts_script_learns_of_a_failure_by_the_exit_status_alone(tmp_path: Path) -> None:
    """It treats a successful upgrade as failed if the tool reports failure, and lost data as success."""
    faults = (
        {"board": 1, "at": "coprocessor", "what": "fwupgrade_fails_but_did"},
        {"board": 2, "at": "flash_data", "what": "loader_ignored"},
    )
    async with station(tmp_path, *faults, settings=settings(tmp_path, "2.19")) as bench:
        boards = [bench.hub.plug(port) for port in range(1, BOARDS + 1)]
        assert await everywhere(bench, Script.provision) == [[1, 0, 0], *[[0, 0, 0]] * (BOARDS - 1)]
        assert boards[0].radio.stack == NEWER
        assert boards[1].external.read(0x901C0000, 4) == b"\xff" * 4


@pytest.mark.parametrize("version", ["2.4", "2.13", "2.17"])
async def test_sts_script_finds_no_board_with_an_older_programmer(tmp_path: Path, version: str) -> None:
    """An older programmer lists ports without their probes."""
    async with station(tmp_path, settings=settings(tmp_path, version)) as bench:
        bench.hub.plug(1)
        assert await asyncio.to_thread(Script(bench.directory).ports) == []
