# SPDX-License-Identifier: Apache-2.0
"""Firmware that the programmer loads into RAM and starts there."""

from pathlib import Path

import pytest

from tests.builders.authority import factory_data, key_in
from tests.virtual_bench.bench_client import (
    APPLICATION,
    AUTHORITY,
    DATA_ADDRESS,
    HELLO,
    MAKE_CSR,
    STORE,
    Station,
    image,
    station,
)
from virtual_bench.board import link
from virtual_bench.hub.hub import HubError
from virtual_bench.programmer.standin import LOADER
from virtual_bench.timing.profile import Profile

RAM = "0x20000000"
STARTED = "Start operation achieved successfully"
MISMATCH = "Error: Data mismatch found at address"


def load(bench: Station, storage: str = "flash", *verification: str) -> list[str]:
    """The actions that load the provisioning firmware into RAM and start it."""
    file = bench.file("agent.bin", image(f"provisioning-{storage}-ram"))
    return ["-d", file, RAM, *(verification or ("-v",)), "-s", RAM]


def flash_both(bench: Station) -> list[str]:
    """The actions that write factory data and the operational firmware."""
    data, application = (
        bench.file(name, content)
        for name, content in (("data.bin", factory_data()), ("application.bin", image("operational-stand-in")))
    )
    loader = ["-el", str(bench.directory / LOADER)]
    return [*loader, "-d", data, hex(DATA_ADDRESS), "-v", "-d", application, hex(APPLICATION), "-v"]


async def test_firmware_in_ram_answers_and_leaves_flash_to_the_application(tmp_path: Path) -> None:
    """One run writes data and application, and starts the agent. Its reset boots the application."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), *flash_both(bench), *load(bench))
        assert (status, output.count("Download verified successfully"), STARTED in output) == (0, 3, True)
        assert "Not flash Memory : No erase done" in output
        assert "Address:      : 0x20000000" in output
        async with bench.line(board) as line:
            assert (await line.ask(HELLO)).endswith(board.nameplate.uid + b"1.1.1")
            dac = AUTHORITY.dac(key_in(await line.ask(MAKE_CSR)))
            assert await line.ask(STORE, AUTHORITY.certificates(dac)) == b"\0"
            application = image("operational-stand-in")
            assert board.internal.read(APPLICATION, len(application)) == application
            assert board.provisioned
            await bench.program(*bench.connect(board), "-rst")
            await line.until(b"operational")


async def test_a_supply_that_dips_takes_the_firmware_out_of_ram(tmp_path: Path) -> None:
    """The board boots the application then. Nobody can have the supply of a board dip that is not there."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        await bench.program(*bench.connect(board), *flash_both(bench), *load(bench))
        async with bench.line(board) as line:
            await line.ask(HELLO)
            bench.hub.brown_out(1)
            await line.until(b"operational")
        assert [entry["board"] for entry in bench.journal("brown_out")] == [1]
        bench.hub.unplug(1)
        with pytest.raises(HubError, match="no board is plugged in"):
            bench.hub.brown_out(1)


async def test_firmware_in_ram_makes_its_key_in_the_coprocessor(tmp_path: Path) -> None:
    """The coprocessor boots, and its key storage answers."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        assert (await bench.program(*bench.connect(board), *flash_both(bench), *load(bench, "secure")))[0] == 0
        async with bench.line(board) as line:
            dac = AUTHORITY.dac(key_in(await line.ask(MAKE_CSR)))
            assert await line.ask(STORE, AUTHORITY.certificates(dac)) == b"\0"


async def test_a_load_takes_its_transfer_and_its_verification_and_no_more(tmp_path: Path) -> None:
    """No loader, no erase, no programming."""
    async with station(tmp_path) as bench:
        board, profile, size = bench.hub.plug(1), Profile(), len(image("provisioning-flash-ram"))
        await bench.program(*bench.connect(board), *load(bench))
        (entry,) = bench.journal("invocation")
    seconds = (
        profile.process_start + profile.connect + profile.exit + size / profile.swd_write + size / profile.swd_read
    )
    assert entry["modelled"] == pytest.approx(seconds, abs=2e-6)
    assert entry["phase"] == "flash_provisioner"


@pytest.mark.parametrize("after", ["data", "erase", "read", "reset", "unplug"])
async def test_what_was_loaded_is_lost_to_loaders_resets_and_power_cuts(tmp_path: Path, after: str) -> None:
    """A start then finds no vectors, and the programmer reports success all the same."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        file = bench.file("agent.bin", image("provisioning-flash-ram"))
        loader = ["-el", str(tmp_path / LOADER)]
        between = {
            "data": [*loader, "-d", bench.file("data.bin", factory_data()), hex(DATA_ADDRESS), "-v"],
            "erase": ["-e", "200"],
            "read": [*loader, "-u", hex(DATA_ADDRESS), "16", "r.bin"],
            "reset": ["-rst"],
            "unplug": [],
        }[after]
        await bench.program(*bench.connect(board), "-d", file, RAM, "-v", *between)
        if after == "unplug":
            bench.hub.unplug(1)
            bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), "-s", RAM)
        assert (status, STARTED in output) == (0, True)
        assert await bench.crash(board)


async def test_a_power_cut_ends_the_firmware_in_ram_and_the_application_boots(tmp_path: Path) -> None:
    """The cut comes while the agent writes the certificates. The board comes back without them, and without the agent."""
    fault: dict[str, object] = {"board": 1, "at": "deliver", "what": "power_cut", "writes": 1}
    async with station(tmp_path, fault) as bench:
        board = bench.hub.plug(1)
        await bench.program(*bench.connect(board), *flash_both(bench), *load(bench))
        async with bench.line(board) as line:
            dac = AUTHORITY.dac(key_in(await line.ask(MAKE_CSR)))
            line.say(link.encode(bytes([STORE, 100]) + AUTHORITY.certificates(dac)))
            await line.hung_up.wait()
        assert not board.plugged
        assert not board.provisioned
        bench.hub.plug(1)
        async with bench.line(board) as line:
            await line.until(b"operational")


async def test_what_was_loaded_stays_from_run_to_run(tmp_path: Path) -> None:
    """A connection alone loses nothing."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        await bench.program(*bench.connect(board), *load(bench)[:-2])
        assert board.core.state() == "halted"
        await bench.program(*bench.connect(board), "-g", RAM)
        async with bench.line(board) as line:
            assert await line.ask(HELLO)


async def test_ram_torn(tmp_path: Path) -> None:
    """Verification finds the first byte that is missing; without one the core crashes, and nothing says so."""
    faults: list[dict[str, object]] = [
        {"board": board, "at": "flash_provisioner", "what": "ram_torn"} for board in (1, 2)
    ]
    async with station(tmp_path, *faults) as bench:
        verified, unverified = bench.hub.plug(1), bench.hub.plug(2)
        status, output = await bench.program(*bench.connect(verified), *load(bench))
        assert (status, MISMATCH in output, STARTED in output) == (1, True, False)
        argv = [word for word in load(bench) if word != "-v"]
        status, output = await bench.program(*bench.connect(unverified), *argv)
        assert (status, STARTED in output) == (0, True)
        assert await bench.crash(unverified)


async def test_start_ignored(tmp_path: Path) -> None:
    """The programmer says that it has started the core."""
    fault = {"board": 1, "at": "flash_provisioner", "what": "start_ignored"}
    async with station(tmp_path, fault) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), *load(bench))
        assert (status, STARTED in output, board.core.state()) == (0, True, "halted")
        assert len(bench.journal("fault")) == 1


async def test_a_start_without_an_address_in_ram_resets_the_board(tmp_path: Path) -> None:
    """The firmware in flash boots."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        await bench.program(*bench.connect(board), *flash_both(bench))
        for arguments in (["-s"], ["--start", hex(APPLICATION)]):
            assert (await bench.program(*bench.connect(board), *arguments))[0] == 0
            async with bench.line(board) as line:
                await line.until(b"operational")
