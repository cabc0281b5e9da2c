# SPDX-License-Identifier: Apache-2.0
"""The versions of the programmer, each with its own output."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.virtual_bench.bench_client import APPLICATION, Station, station
from virtual_bench.bench.versions import VERSIONS, Version
from virtual_bench.board.board import Board
from virtual_bench.server.server import Settings

ALL = [*VERSIONS]


def settings(directory: Path, version: Version) -> Settings:
    return Settings(directory, time_scale=0, version=version)


async def download(bench: Station, board: Board, size: int, *options: str) -> str:
    """The output of a download of that many bytes."""
    file = bench.file("f.bin", b"\x55" * size)
    connect = [word for word in bench.connect(board) if word != "-q"]
    return (await bench.program(*connect, "-d", file, hex(APPLICATION), *options))[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "versions"),
    [
        (r"Board       : STM32WB5MM-DK", {"2.7", "2.13", "2.17", "2.19", "2.22"}),
        (r"Revision ID : Rev Y", {"2.7", "2.13", "2.17", "2.19", "2.22"}),
        (r"Device name : STM32WB55xx", {"2.4"}),
        (r"Device name : STM32WB5x", {"2.7"}),
        (r"Device name : STM32WB5x/35xx", {"2.13", "2.17", "2.19", "2.22"}),
        (r"Device CPU  : Cortex-M0\+/M4", {"2.4"}),
        (r"Flash size  : 1 MBytes", {"2.4", "2.7", "2.13", "2.17", "2.19"}),
        (r"NVM size  : 1 MBytes", {"2.22"}),
        (r"BL Version  : 0xd5", {"2.13", "2.17", "2.19", "2.22"}),
        (r"Debug in Low Power mode enabled", {"2.13", "2.19", "2.22"}),
        (r"Erasing memory corresponding to sector 0:", {"2.19", "2.22"}),
        (r"Erasing memory corresponding to segment 0:", {"2.4", "2.7", "2.13", "2.17"}),
        (r"  Size          : 8 KBytes", {"2.4", "2.7"}),
        (r"  Size          : 8\.00 KB ", {"2.13", "2.17", "2.19", "2.22"}),
        (r"MCU Reset", {"2.17", "2.19", "2.22"}),
        (r"Hard reset is performed", set(ALL)),
    ],
)
async def test_a_line_comes_in_the_versions_that_have_it(tmp_path: Path, line: str, versions: set[str]) -> None:
    """The logs of the real tool show which versions print a line; the run is a download of 8 KB with a hardware reset."""
    saying = set()
    for version in ALL:
        async with station(tmp_path / version, settings=settings(tmp_path, VERSIONS[version])) as bench:
            said = await download(bench, bench.hub.plug(1), 8192, "-hardRst")
        if re.search(f"^{line}$", said, re.MULTILINE):
            saying.add(version)
    assert saying == versions


@pytest.mark.parametrize("version", ALL)
async def test_a_listing_has_the_headings_and_fields_of_its_version(tmp_path: Path, version: str) -> None:
    """J-Link and board names come with 2.17, the boards of serial ports with 2.19."""
    async with station(tmp_path, settings=settings(tmp_path, VERSIONS[version])) as bench:
        bench.hub.plug(1)
        _, said = await bench.program("-l")
    at = ALL.index(version)
    assert ("===== J-Link Interface =====" in said) == (at >= ALL.index("2.17"))
    assert ("   Board Name  : STM32WB5MM-DK" in said) == (at >= ALL.index("2.17"))
    assert ("\nST-LINK SN: " in said) == (at >= ALL.index("2.19"))


async def test_a_windows_host_writes_blocks_of_its_code_page(tmp_path: Path) -> None:
    """A full bar is fifty bytes 0xDB, which are invalid UTF-8; every line ends in CR LF."""
    version = replace(VERSIONS["2.19"], windows=True)
    async with station(tmp_path, settings=settings(tmp_path, version)) as bench:
        board = bench.hub.plug(1)
        file = bench.file("f.bin", b"\x55" * 100)
        async with bench.started("-c", "port=SWD", f"sn={board.probe}", "-d", file, hex(APPLICATION)) as process:
            said, _ = await process.communicate()
    assert b"\r" + b"\xdb" * 50 + b" 100%" in said
    assert said.count(b"\n") == said.count(b"\r\n") > 0


@pytest.mark.parametrize("version", ["2.4", "2.13", "2.22"])
async def test_a_host_may_write_commas_for_points(tmp_path: Path, version: str) -> None:
    """Voltages and sizes have commas."""
    settings_here = settings(tmp_path, replace(VERSIONS[version], decimal_comma=True))
    async with station(tmp_path, settings=settings_here) as bench:
        said = await download(bench, bench.hub.plug(1), 9000)
    assert "Voltage     : 3,28V" in said
    assert ("9000 Bytes" if version == "2.4" else "8,79 KB") in said


async def test_lines_may_come_twice_and_thrice(tmp_path: Path) -> None:
    """Version 2.18 repeats lines; the download is unharmed."""
    faults = {"board": 1, "at": "flash_provisioner", "what": "duplicate_lines"}
    async with station(tmp_path, faults) as bench:
        said = await download(bench, bench.hub.plug(1), 100, "-v")
    assert said.count("Opening and parsing file: f.bin") == 3
    assert said.count("  File          : f.bin") == 2
    assert "Download verified successfully" in said


async def test_option_bytes_that_do_not_take_are_found_unchanged(tmp_path: Path) -> None:
    """The output has the real tool's text."""
    async with station(tmp_path, {"board": 1, "at": "lock", "what": "options_refused"}) as bench:
        board = bench.hub.plug(1)
        status, said = await bench.program(*bench.connect(board), "-ob", "RDP=0xBB")
        assert board.options.values["RDP"] == 0xAA
    assert 'Error: Expected value for Option Byte "RDP": 0xBB, found: 0xAA' in said
    assert (status, "Error: Option Byte Programming failed" in said) == (1, True)


async def test_a_run_can_do_everything_and_exit_with_1(tmp_path: Path) -> None:
    """The output has all success messages."""
    async with station(tmp_path, {"board": 1, "at": "flash_provisioner", "what": "failed_but_done"}) as bench:
        board = bench.hub.plug(1)
        status, said = await bench.program(*bench.connect(board), *bench.writes())
    assert (status, "Software reset is performed" in said, "Error" in said) == (1, True, False)
