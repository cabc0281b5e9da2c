# SPDX-License-Identifier: Apache-2.0
"""Obstacles to an erase, a loader, option bytes or a listing, and the programmer's output about them."""

import json
from pathlib import Path

import pytest

from tests.builders.authority import Status, factory_data, key_in
from tests.virtual_bench.bench_client import (
    APPLICATION,
    AUTHORITY,
    DATA_ADDRESS,
    MAKE_CSR,
    STORE,
    Station,
    image,
    station,
)
from virtual_bench.board.board import Board
from virtual_bench.programmer.standin import LOADER

NOT_ERASED = "Error: failed to erase memory\nError: failed to erase memory"
EVERYWHERE = 0x200000


def fault(what: str, at: str, **parameters: object) -> dict[str, object]:
    return {"board": 1, "at": at, "what": what, **parameters}


def loader(directory: Path) -> list[str]:
    return ["-el", str(directory / LOADER)]


async def listed(bench: Station, board: Board, *asked: str) -> str:
    """A listing, once the board has been recognised."""
    await bench.program(*bench.connect(board, "HOTPLUG"), "-r32", "0x1FFF7590", "12")
    status, output = await bench.program("-l", *asked)
    assert status == 0
    return output


async def test_a_rejected_loader_is_told(tmp_path: Path) -> None:
    """The message has the loader's path, as in a public log of 2.19."""
    async with station(tmp_path, fault("loader_rejected", "flash_data")) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), *bench.writes())
        assert board.external.read(DATA_ADDRESS, 16) == b"\xff" * 16
    assert (status, f"Error: Flash loader {tmp_path / LOADER} cannot be loaded." in output) == (1, True)


async def test_without_its_external_flash_an_erase_stalls_and_fails(tmp_path: Path) -> None:
    """The erase stalls for minutes of the bench's clock; the internal flash is unharmed."""
    async with station(tmp_path, fault("external_flash_absent", "flash_data")) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), *bench.writes())
        erased, erase_output = await bench.program(*bench.connect(board), *loader(tmp_path), "-e", "[0 31]")
        internal, _ = await bench.program(*bench.connect(board), "-e", "[0 1]")
        modelled = [entry["modelled"] for entry in bench.journal("invocation")]
    assert (status, erased, internal) == (1, 1, 0)
    assert f"Erasing external memory sector 28\n{NOT_ERASED}" in output
    assert f"Erasing external memory sector 0\n{NOT_ERASED}" in erase_output
    assert [seconds > 360 for seconds in modelled if isinstance(seconds, float)] == [True, True, False]


async def test_the_stall_has_the_seconds_that_it_is_given(tmp_path: Path) -> None:
    """The seconds are multiplied by the time scale."""
    async with station(tmp_path, fault("external_flash_absent", "flash_data", seconds=7)) as bench:
        board = bench.hub.plug(1)
        await bench.program(*bench.connect(board), *bench.writes())
        (entry,) = bench.journal("invocation")
    assert isinstance(entry["modelled"], float)
    assert 7 < entry["modelled"] < 10


async def test_the_board_s_own_firmware_misses_its_external_flash_too(tmp_path: Path) -> None:
    """The firmware stores no certificates, even if it can read its factory data."""
    async with station(tmp_path, fault("external_flash_absent", "flash_data")) as bench:
        board = bench.hub.plug(1)
        await bench.program(*bench.connect(board), *loader(tmp_path), "-e", "28")
        board.external.program(DATA_ADDRESS, factory_data())
        firmware = bench.file("f.bin", image("provisioning-flash"))
        await bench.program(*bench.connect(board), "-d", firmware, hex(APPLICATION), "-rst")
        async with bench.line(board) as line:
            dac = AUTHORITY.dac(key_in(await line.ask(MAKE_CSR)))
            assert await line.refusal(STORE, AUTHORITY.certificates(dac)) == Status.FLASH


async def test_an_absent_external_flash_reads_as_zeros(tmp_path: Path) -> None:
    """The tool does not complain."""
    async with station(tmp_path, fault("external_flash_absent", "flash_operational")) as bench:
        board = bench.hub.plug(1)
        await bench.provisioned(board)
        back = [*loader(tmp_path), "-r", hex(DATA_ADDRESS), "16", "back.bin"]
        await bench.program(*bench.connect(board), *back)
        assert (tmp_path / "back.bin").read_bytes() == bytes(16)


async def test_write_protection_is_in_the_option_bytes(tmp_path: Path) -> None:
    """The protection refuses the erase, can be read, and can be removed."""
    async with station(tmp_path, fault("write_protected", "flash_provisioner")) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), *bench.writes())
        _, shown = await bench.program(*bench.connect(board), "-ob", "displ")
        (nameplate,) = tmp_path.glob("boards/*/board.json")
        assert json.loads(nameplate.read_text())["option_bytes"]["WRP1A_STRT"] == 0
        await bench.program(*bench.connect(board), "-ob", "WRP1A_STRT=0xFF", "WRP1A_END=0x00")
        again, _ = await bench.program(*bench.connect(board), *bench.writes())
    assert (status, NOT_ERASED in output, again) == (1, True, 0)
    assert "     WRP1A_STRT   : 0x0" in shown.splitlines()


async def test_a_write_protected_area_is_no_larger_than_it_is(tmp_path: Path) -> None:
    """Pages outside stay writable; the second area protects as the first does."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        file = bench.file("f.bin", b"1234")
        await bench.program(*bench.connect(board), "-ob", "WRP1B_STRT=0x2", "WRP1B_END=0x3")
        outcomes = [
            (await bench.program(*bench.connect(board), "-d", file, hex(APPLICATION + 0x1000 * page)))[0]
            for page in range(1, 5)
        ]
    assert outcomes == [0, 1, 1, 0]


async def test_a_mass_erase_leaves_the_coprocessor_its_flash_and_is_called_a_failure(tmp_path: Path) -> None:
    """ST's staff say that on the STM32WB this error is in fact a warning."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        board.internal.program(APPLICATION, bytes(board.internal.size))
        status, output = await bench.program(*bench.connect(board), "-e", "all")
        found = board.internal.read(APPLICATION, board.internal.size)
    assert found == b"\xff" * 0x94000 + bytes(0x6C000)
    assert (status, "Mass erase ..." in output, "Error: Mass erase operation failed" in output) == (1, True, True)


async def test_with_a_loader_the_external_flash_is_erased(tmp_path: Path) -> None:
    """The tool erases all of it, or the named sectors."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        board.external.program(board.external.base, bytes(EVERYWHERE))
        status, output = await bench.program(*bench.connect(board), *loader(tmp_path), "-e", "1")
        sectors = board.external.read(board.external.base, 0x30000)
        mass, mass_output = await bench.program(*bench.connect(board), *loader(tmp_path), "-e", "all")
        assert board.external.read(board.external.base, EVERYWHERE) == b"\xff" * EVERYWHERE
    assert sectors == bytes(0x10000) + b"\xff" * 0x10000 + bytes(0x10000)
    assert (status, "Erasing external memory sector 1" in output) == (0, True)
    assert (mass, "Mass erase successfully achieved" in mass_output) == (0, True)


@pytest.mark.parametrize("sector", ["256", "148"])
async def test_a_sector_out_of_reach_is_not_erased(tmp_path: Path, sector: str) -> None:
    """The sector is beyond the flash, or is the coprocessor's."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), "-e", sector)
    assert (status, NOT_ERASED in output) == (1, True)


async def test_option_bytes_may_take_without_a_reconnection(tmp_path: Path) -> None:
    """The option bytes have their new values although the run fails."""
    async with station(tmp_path, fault("option_reconnect_fails", "lock")) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), "-ob", "RDP=0xBB")
        assert board.options.values["RDP"] == 0xBB
    assert (status, "Connection to device 0x495 is lost" in output) == (1, True)
    assert "Option Bytes successfully programmed" not in output


@pytest.mark.parametrize(
    ("asked", "resets"), [([], True), (["st-link"], True), (["st-link-only"], False), (["uart"], False)]
)
async def test_a_listing_may_reset_a_board(tmp_path: Path, asked: list[str], *, resets: bool) -> None:
    """A listing that connects resets the chip, which clears its memory; `st-link-only` does not connect."""
    async with station(tmp_path, fault("list_resets", "recognise")) as bench:
        board = bench.hub.plug(1)
        await bench.program(*bench.connect(board))
        assert board.core.state() == "halted"
        await listed(bench, board, *asked)
        assert (board.core.state() != "halted") is resets


@pytest.mark.parametrize("asked", [[], ["st-link-only"]])
async def test_a_listing_may_show_a_bogus_serial_number(tmp_path: Path, asked: list[str]) -> None:
    """The bogus number replaces the probe's own, without a firmware version; the other probe is listed normally."""
    async with station(tmp_path, fault("list_bogus_serial", "recognise")) as bench:
        board, other = bench.hub.plug(1), bench.hub.plug(2)
        output = await listed(bench, board, *asked)
        probes = output[
            output.index("Probes List") : output.index(
                "-----------------------------------------------\n", output.index("Probe 1")
            )
        ]
    assert "ST-LINK error (DEV_CONNECT_ERR)" in output
    assert "ST-LINK SN  : 5&1E237D3C&0&1\n   ST-LINK FW  : \n" in probes
    assert f"ST-LINK SN  : {board.probe}" not in probes
    assert f"ST-LINK SN  : {other.probe}\n   ST-LINK FW  : V2J45M30\n" in probes


async def test_keys_are_kept_only_while_the_stack_runs(tmp_path: Path) -> None:
    """After FUS work the stack must be started, or the board plugged in again."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        await bench.program(*bench.connect(board), "-startfus")
        await bench.program(*bench.connect(board), "-ob", "nSWboot0=1")
        await bench.provisioner(board, "provisioning-secure")
        async with bench.line(board) as line:
            assert await line.refusal(MAKE_CSR) == Status.SECURE_STORAGE
        await bench.program(*bench.connect(board), "-startwirelessstack")
        await bench.program(*bench.connect(board), "-ob", "nSWboot0=1")
        await bench.provisioner(board, "provisioning-secure")
        async with bench.line(board) as line:
            assert await line.ask(MAKE_CSR)
