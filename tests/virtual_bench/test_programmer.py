# SPDX-License-Identifier: Apache-2.0
"""The programmer as a process: its output, its exit status, and its effects on the board."""

import asyncio
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tests.builders.authority import factory_data
from tests.virtual_bench.bench_client import APPLICATION, DATA_ADDRESS, DEADLINE, image, station
from virtual_bench.bench.versions import VERSIONS
from virtual_bench.programmer.standin import LOADER
from virtual_bench.server.server import Settings

PAGE = 4096


async def test_a_download_prints_its_proofs_in_order(tmp_path: Path) -> None:
    """Each file has its erase range with both ends inclusive, the end of its download, and its verification."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), *bench.writes())
        assert board.external.read(DATA_ADDRESS, len(factory_data())) == factory_data()
        assert board.internal.read(APPLICATION, 8000) == image("provisioning-flash")[:8000]
    proofs = re.findall(
        r"Erasing \w+ memory sector.*|File download complete|Download verified successfully|.* reset is performed",
        output,
    )
    assert status == 0
    assert proofs == [
        "Erasing external memory sector 28",
        "File download complete",
        "Download verified successfully",
        "Erasing internal memory sectors [0 2]",
        "File download complete",
        "Download verified successfully",
        "Software reset is performed",
    ]


async def test_an_erase_takes_whole_pages_and_no_more(tmp_path: Path) -> None:
    """Bytes after the file in its last page are erased; the next page stays."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        board.internal.program(APPLICATION, bytes(3 * PAGE))
        await bench.program(*bench.connect(board), "-d", bench.file("f.bin", b"\x55" * (PAGE + 1)), hex(APPLICATION))
        assert board.internal.read(APPLICATION, 3 * PAGE) == b"\x55" * (PAGE + 1) + b"\xff" * (PAGE - 1) + bytes(PAGE)


async def test_the_header_names_probe_board_and_mode(tmp_path: Path) -> None:
    """The columns are those of the real tool."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board))
    assert status == 0
    assert output.splitlines()[1].strip() == "STM32CubeProgrammer v2.19.0"
    for line in (
        f"ST-LINK SN  : {board.probe}",
        "Voltage     : 3.28V",
        "Connect mode: Under Reset",
        "Device ID   : 0x495",
    ):
        assert line in output.splitlines()


async def test_an_older_version_speaks_its_own_words(tmp_path: Path) -> None:
    """Version 2.17 announces a download before it opens the file, and lists ports without their boards."""
    settings = Settings(tmp_path, time_scale=0, version=VERSIONS["2.17"])
    async with station(tmp_path, settings=settings) as bench:
        board = bench.hub.plug(1)
        file = bench.file("f.bin", b"1234")
        _, download = await bench.program(*bench.connect(board), "-d", file, hex(APPLICATION))
        _, listing = await bench.program("-l")
    assert "STM32CubeProgrammer v2.17.0" in download
    assert download.index("Memory Programming ...") < download.index("Opening and parsing file: f.bin")
    assert "ST-LINK SN:" not in listing


async def test_sts_own_expression_finds_the_boards_in_the_listing(tmp_path: Path) -> None:
    """The expression is genFactoryData.py's, of X-CUBE-MATTER 1.4.1."""
    async with station(tmp_path) as bench:
        boards = [bench.hub.plug(port) for port in (2, 1)]
        status, output = await bench.program("-l")
    section = re.search(r"=====  UART Interface  =====(.*?)$", output, re.DOTALL)
    assert section is not None
    pattern = re.compile(
        r"Board Name\s*:\s*([^\s\r\n]+)\nST-LINK SN:\s*([^\s\r\n]+)\nPort:\s*([^\s\r\n]+)\n", re.DOTALL
    )
    assert status == 0
    assert pattern.findall(section[1]) == [("STM32WB5MM-DK", board.probe, board.tty) for board in boards]


@pytest.mark.parametrize(
    ("asked", "headings"),
    [
        ([], ["DFU", "J-Link", "STLink", "UART"]),
        (["st-link"], ["STLink"]),
        (["stlink-only"], ["STLink"]),
        (["uart"], ["UART"]),
        (["usb"], ["DFU"]),
    ],
)
async def test_a_listing_has_the_sections_that_were_asked_for(
    tmp_path: Path, asked: list[str], headings: list[str]
) -> None:
    """Without an argument the listing has all sections."""
    async with station(tmp_path) as bench:
        status, output = await bench.program("-l", *asked)
    assert status == 0
    assert re.findall(r"===== +(\S+) Interface", output) == headings


async def test_the_uid_is_read_as_words(tmp_path: Path) -> None:
    """The words are little-endian, at 0x1FFF7590."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        _, output = await bench.program(*bench.connect(board, "HOTPLUG"), "-r32", "0x1FFF7590", "12")
    words = output.split("0x1FFF7590 : ")[1].split()
    assert b"".join(int(word, 16).to_bytes(4, "little") for word in words) == board.nameplate.uid


async def test_memory_is_read_into_a_file(tmp_path: Path) -> None:
    """The path is relative to the caller's directory."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        board.external.program(DATA_ADDRESS, b"factory data")
        status, output = await bench.program(
            *bench.connect(board), "-el", str(tmp_path / LOADER), "-r", hex(DATA_ADDRESS), "12", "read.bin"
        )
        assert (tmp_path / "read.bin").read_bytes() == b"factory data"
    assert (status, "Data read successfully" in output) == (0, True)


async def test_without_its_loader_the_external_flash_is_out_of_reach_and_nothing_says_so(tmp_path: Path) -> None:
    """Only the erase line is missing, and reads give zeros, as users of the real tool report for a rejected loader."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        bench.file("other.stldr", b"a loader of another part")
        file = bench.file("f.bin", b"data")
        status, output = await bench.program(
            *bench.connect(board),
            "-el",
            "other.stldr",
            "-d",
            file,
            hex(DATA_ADDRESS),
            "-v",
            "-r",
            hex(DATA_ADDRESS),
            "4",
            "r.bin",
        )
        assert board.external.read(DATA_ADDRESS, 4) == b"\xff" * 4
        assert (tmp_path / "r.bin").read_bytes() == bytes(4)
    assert status == 0
    assert "Download verified successfully" in output
    assert "memory sector" not in output


async def test_hotplug_leaves_the_firmware_alone_and_under_reset_halts_it(tmp_path: Path) -> None:
    """A halted core stays halted until it is reset."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        await bench.provisioner(board)
        await bench.program(*bench.connect(board, "HOTPLUG"), "-ob", "displ")
        assert board.core.state() == "running"
        await bench.program(*bench.connect(board, "UR"))
        assert board.core.state() == "halted"
        await bench.program(*bench.connect(board, "UR"), "-hardRst")
        assert board.core.state() == "running"
        await bench.program(*bench.connect(board, "HOTPLUG"), "-halt")
        assert board.core.state() == "halted"
        await bench.program(*bench.connect(board, "HOTPLUG"), "-run")
        assert board.core.state() == "running"


async def test_option_bytes_are_shown_set_and_left_alone(tmp_path: Path) -> None:
    """An option byte that already has its value is not written."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        _, shown = await bench.program(*bench.connect(board), "-ob", "displ")
        _, unchanged = await bench.program(*bench.connect(board), "-ob", "nSWboot0=1")
        status, changed = await bench.program(*bench.connect(board), "-ob", "nSWboot0=0", "nBOOT0=1")
        assert board.options.values["nSWBOOT0"] == 0
        refused, _ = await bench.program(*bench.connect(board), "-ob", "SFSA=0xCC")
    assert "     RDP          : 0xAA (Level 0, no protection)" in shown.splitlines()
    assert "Warning: Option Bytes are unchanged, Data won't be downloaded" in unchanged
    assert (status, "Option Bytes successfully programmed" in changed, refused) == (0, True, 1)


async def test_a_protected_chip_is_neither_read_nor_written(tmp_path: Path) -> None:
    """Removing the protection erases the chip."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        board.internal.program(APPLICATION, b"secret")
        assert (await bench.program(*bench.connect(board), "-ob", "RDP=0xBB"))[0] == 0
        file = bench.file("f.bin", b"1234")
        read, read_output = await bench.program(*bench.connect(board), "-r", hex(APPLICATION), "6", "r.bin")
        written, write_output = await bench.program(*bench.connect(board), "-d", file, hex(APPLICATION))
        assert board.internal.read(APPLICATION, 6) == b"secret"
        await bench.program(*bench.connect(board), "-ob", "RDP=0xAA")
        assert board.internal.read(APPLICATION, 6) == b"\xff" * 6
    assert (read, written) == (1, 1)
    assert "Error: Data read failed" in read_output
    assert "Error: failed to erase memory" in write_output


async def test_a_locked_chip_is_out_of_reach_for_ever(tmp_path: Path) -> None:
    """Readout protection level 2 disables the debug port."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        assert (await bench.program(*bench.connect(board), "-ob", "RDP=0xCC"))[0] == 0
        status, output = await bench.program(*bench.connect(board), "-ob", "RDP=0xAA")
    assert (status, "Error: ST-LINK error (DEV_TARGET_CMD_ERR)" in output) == (1, True)


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["-d", "missing.bin", "0x08000000"], "Error: missing.bin does not exist"),
        (["-d", "file.elf", "0x08000000"], "Error: file.elf: only .bin"),
        (["-el", "missing.stldr"], "Error: missing.stldr does not exist"),
        (["-d", "full.bin", "0x080FFFFE"], "Error: failed to download Segment[0]"),
        (["-r", "0x20000000", "4", "r.bin"], "Error: Data read failed"),
        (["-log", "nowhere/trace.log"], "Error: nowhere/trace.log cannot be opened"),
    ],
)
async def test_what_cannot_be_done_ends_with_1(tmp_path: Path, argv: list[str], complaint: str) -> None:
    """The output has an error line."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        bench.file("full.bin", b"1234")
        status, output = await bench.program(*bench.connect(board), *argv)
    assert (status, complaint in output) == (1, True)


async def test_an_unknown_probe_is_no_probe(tmp_path: Path) -> None:
    """The output is the same as without any probe."""
    async with station(tmp_path) as bench:
        bench.hub.plug(1)
        status, output = await bench.program("-c", "port=SWD", "sn=0123", "mode=UR")
    assert (status, "Error: No debug probe detected." in output) == (1, True)


async def test_a_probe_serves_one_process_at_a_time(tmp_path: Path) -> None:
    """The second process cannot connect."""
    async with station(tmp_path, {"board": 1, "at": "recognise", "what": "hang"}) as bench:
        board = bench.hub.plug(1)
        async with bench.started(*bench.connect(board, "HOTPLUG")) as first:
            assert first.stdout is not None
            async with asyncio.timeout(DEADLINE):
                await first.stdout.readuntil(b"Debug in Low Power mode enabled")
            status, output = await bench.program(*bench.connect(board, "HOTPLUG"))
            _, listing = await bench.program("-l", "st-link")
        assert (status, "ST-LINK error (DEV_CONNECT_ERR)" in output) == (1, True)
        assert "ST-LINK error (DEV_CONNECT_ERR)" in listing


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
async def test_a_stopped_process_frees_its_probe(tmp_path: Path, number: signal.Signals, status: int) -> None:
    """The probe is free when a gently stopped process has ended, and as soon as the bench learns of a killed one."""
    async with station(tmp_path, {"board": 1, "at": "recognise", "what": "hang"}) as bench:
        board = bench.hub.plug(1)
        async with bench.started(*bench.connect(board, "HOTPLUG")) as process:
            assert process.stdout is not None
            async with asyncio.timeout(DEADLINE):
                await process.stdout.readuntil(b"Device ID")
                process.send_signal(number)
                assert await process.wait() == status
        again, _ = await bench.program(*bench.connect(board, "HOTPLUG"))
        assert again == 0


async def test_what_is_printed_is_logged_too(tmp_path: Path) -> None:
    """`-log` names the file."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        _, output = await bench.program(*bench.connect(board), "-log", "trace.log")
        assert (tmp_path / "trace.log").read_text() == output[output.index("Log output file") :]


async def test_progress_is_drawn_unless_it_is_quiet(tmp_path: Path) -> None:
    """The bar has fifty cells and is redrawn in place."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        file = bench.file("f.bin", b"\x55" * 1000)
        loud = [word for word in bench.connect(board) if word != "-q"]
        _, drawn = await bench.program(*loud, "-d", file, hex(APPLICATION))
        _, quiet = await bench.program(*bench.connect(board), "-d", file, hex(APPLICATION))
    assert "\r[" + "=" * 50 + "] 100% " in drawn
    assert "%" not in quiet


async def test_the_version_is_told(tmp_path: Path) -> None:
    """The version follows the banner, without a board."""
    async with station(tmp_path) as bench:
        status, output = await bench.program("--version")
    assert (status, "STM32CubeProgrammer version: 2.19.0" in output) == (0, True)


async def test_without_its_bench_the_programmer_says_what_to_start(tmp_path: Path) -> None:
    """The exit status is 1, as for a missing probe."""
    async with station(tmp_path) as bench:
        left = replace(bench)
    status, output = await left.program("-l")
    assert (status, "virtual-bench serve --dir" in output) == (1, True)


async def test_every_run_is_in_the_journal(tmp_path: Path) -> None:
    """The journal has a run's arguments, times, phase and end."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        argv = [*bench.connect(board), *bench.writes()]
        await bench.program(*argv)
        (entry,) = bench.journal("invocation")
    assert (entry["probe"], entry["phase"], entry["argv"], entry["exit_status"]) == (board.probe, "flash_data", argv, 0)
