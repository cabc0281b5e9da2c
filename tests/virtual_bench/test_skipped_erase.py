# SPDX-License-Identifier: Apache-2.0
"""Writes without an erase, over flash that is blank and flash that is not."""

from pathlib import Path

import pytest

from tests.builders.authority import factory_data
from tests.virtual_bench.bench_client import APPLICATION, DATA_ADDRESS, Station, image, station
from virtual_bench.bench.versions import VERSIONS
from virtual_bench.board.board import Board
from virtual_bench.hardware.flash import Flash
from virtual_bench.server.server import Settings

REFUSED = "Error: failed to download Sector[0]\nError: failed to download the File"
MISMATCH = "Error: Data mismatch found at address"


async def without_erase(bench: Station, board: Board) -> tuple[int | None, str]:
    """Writes factory data and provisioning firmware, without an erase."""
    return await bench.program(*bench.connect(board), "--skipErase", *bench.writes())


def modelled(bench: Station) -> float:
    return float(str(bench.journal("invocation")[-1]["modelled"]))


async def test_a_blank_board_is_written_without_an_erase_in_less_time(tmp_path: Path) -> None:
    """One sector and three pages are not erased. No line mentions an erase, and all other proofs are printed."""
    async with station(tmp_path) as bench:
        board, other = bench.hub.plug(1), bench.hub.plug(2)
        status, output = await without_erase(bench, board)
        assert board.external.read(DATA_ADDRESS, len(factory_data())) == factory_data()
        size = len(image("provisioning-flash"))
        assert board.internal.read(APPLICATION, size) == image("provisioning-flash")
        shorter = modelled(bench)
        await bench.program(*bench.connect(other), *bench.writes())
        assert modelled(bench) - shorter == pytest.approx(0.130 + -(-size // 4096) * 0.022)
    assert (status, output.count("File download complete"), output.count("verified successfully")) == (0, 2, 2)
    assert "Erasing" not in output
    assert "Software reset is performed" in output


@pytest.mark.parametrize(("version", "name"), [("2.17", "Segment"), ("2.19", "Sector")])
async def test_flash_that_is_not_blank_refuses_to_be_programmed(tmp_path: Path, version: str, name: str) -> None:
    """The second write of the same bytes fails, too: flash counts programmed double words, not their bits."""
    async with station(tmp_path, settings=Settings(tmp_path, time_scale=0, version=VERSIONS[version])) as bench:
        board = bench.hub.plug(1)
        await bench.operational(board)
        before = board.internal.read(APPLICATION, 0x20000)
        argv = [*bench.connect(board), "-d", "operational-stand-in.bin", hex(APPLICATION), "-v", "--skipErase"]
        status, output = await bench.program(*argv)
        assert board.internal.read(APPLICATION, 0x20000) == before
    assert (status, REFUSED.replace("Sector", name) in output, "complete" in output) == (1, True, False)


async def test_a_dirty_page_in_the_middle_ends_the_write_there(tmp_path: Path) -> None:
    """What came before it is programmed, and the old double word stays."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        board.internal.program(APPLICATION + 0x8000, b"leftover")
        file = bench.file("f.bin", b"\x55" * 0x10000)
        argv = [*bench.connect(board), "-d", file, hex(APPLICATION), "-v", "--skipErase"]
        status, output = await bench.program(*argv)
        assert board.internal.read(APPLICATION, 0x1000) == b"\x55" * 0x1000
        assert board.internal.read(APPLICATION + 0x8000, 8) == b"leftover"
        assert board.internal.read(APPLICATION + 0xF000, 0x1000) == b"\xff" * 0x1000
    assert (status, REFUSED in output) == (1, True)


@pytest.mark.parametrize("verification", [["-v"], ["-v", "fast"]])
async def test_a_refusal_that_the_programmer_does_not_notice_is_found_by_its_verification(
    tmp_path: Path, verification: list[str]
) -> None:
    """The first double word that flash kept differs."""
    fault = {"board": 1, "at": "flash_provisioner", "what": "refusal_unnoticed"}
    async with station(tmp_path, fault) as bench:
        board = bench.hub.plug(1)
        board.internal.program(APPLICATION + 8, b"leftover")
        file = bench.file("f.bin", b"\x55" * 4096)
        status, output = await bench.program(
            *bench.connect(board), "-d", file, hex(APPLICATION), *verification, "--skipErase"
        )
        assert board.internal.read(APPLICATION, 24) == b"\x55" * 8 + b"leftover" + b"\x55" * 8
    assert (status, f"{MISMATCH} 0x{APPLICATION + 8:08X}" in output, "complete" in output) == (1, True, True)


async def test_the_external_flash_refuses_nothing_and_its_verification_finds_the_difference(tmp_path: Path) -> None:
    """Programming clears bits only."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        where, byte = next((offset, byte) for offset, byte in enumerate(factory_data()) if byte)
        board.external.program(DATA_ADDRESS + where, bytes([byte ^ 0xFF]))
        status, output = await without_erase(bench, board)
        assert board.external.read(DATA_ADDRESS + where, 1) == b"\0"
    assert (status, f"{MISMATCH} 0x{DATA_ADDRESS + where:08X}" in output) == (1, True)


@pytest.mark.parametrize("skipped", [[], ["--skipErase"]])
async def test_without_its_database_the_programmer_changes_nothing_and_reports_success(
    tmp_path: Path, skipped: list[str]
) -> None:
    """Without `--skipErase` only the line with the erased sectors is missing."""
    fault = {"board": 1, "at": "flash_provisioner", "what": "database_missing"}
    async with station(tmp_path, fault) as bench:
        board = bench.hub.plug(1)
        file = bench.file("f.bin", b"\x55" * 4096)
        status, output = await bench.program(*bench.connect(board), "-d", file, hex(APPLICATION), "-v", *skipped)
        assert board.internal.read(APPLICATION, 4096) == b"\xff" * 4096
    assert (status, "Download verified successfully" in output, "memory sector" in output) == (0, True, False)


async def test_a_protected_or_absent_flash_is_not_programmed(tmp_path: Path) -> None:
    """Without an erase the programmer fails while it programs."""
    fault = {"board": 2, "at": "flash_data", "what": "external_flash_absent"}
    async with station(tmp_path, fault) as bench:
        protected, absent = bench.hub.plug(1), bench.hub.plug(2)
        await bench.program(*bench.connect(protected), "-ob", "WRP1A_STRT=0x0", "WRP1A_END=0xFF")
        file = bench.file("f.bin", b"1234")
        refused = await bench.program(*bench.connect(protected), "--skipErase", "-d", file, hex(APPLICATION), "-v")
        stalled = await without_erase(bench, absent)
        assert modelled(bench) > 360
        assert absent.external.read(DATA_ADDRESS, 16) == b"\xff" * 16
    assert [(status, REFUSED in output) for status, output in (refused, stalled)] == [(1, True), (1, True)]


def test_only_a_double_word_of_zeros_is_programmed_over_another(tmp_path: Path) -> None:
    """The flash's error correction knows two states that any double word can be programmed from and to."""
    flash = Flash(tmp_path / "flash", 0x08000000, 8192, 4096)
    try:
        assert not flash.program_double_words(0x08000000, b"\x55" * 12)
        assert flash.read(0x08000008, 8) == b"\x55" * 4 + b"\xff" * 4
        assert flash.program_double_words(0x0800000C, b"\x55" * 4)  # the same double word, filled up with FF
        assert flash.program_double_words(0x08000000, b"\x55" * 8)  # the same bytes
        assert not flash.program_double_words(0x08000000, bytes(8))
        assert flash.read(0x08000000, 16) == bytes(8) + b"\x55" * 4 + b"\xff" * 4
    finally:
        flash.close()
