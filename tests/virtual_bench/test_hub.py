# SPDX-License-Identifier: Apache-2.0
"""Plugging and unplugging: links in udev's layout, hang-ups, and the data that stays with a board."""

from pathlib import Path

import pytest

from tests.virtual_bench.bench_client import APPLICATION, image, station
from virtual_bench.hub.hub import HubError
from virtual_bench.server.server import Settings


def links(directory: Path) -> dict[str, str]:
    """Every link below DIR/dev by its path, with its target."""
    return {
        str(path.relative_to(directory / "dev")): str(path.readlink())
        for path in (directory / "dev").rglob("*")
        if path.is_symlink()
    }


async def test_a_plugged_board_has_its_links(tmp_path: Path) -> None:
    """The links by probe and by path both lead to the device, which is a terminal."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(2)
        assert board.serial_port is not None
        assert links(tmp_path) == {
            "ttyACM0": board.serial_port.path,
            f"serial/by-id/usb-STMicroelectronics_STM32_STLink_{board.probe}-if02": "../../ttyACM0",
            "serial/by-path/pci-0000:00:14.0-usb-0:1.2:1.2": "../../ttyACM0",
        }


async def test_the_kernel_shows_what_is_plugged_in(tmp_path: Path) -> None:
    """The device is one level above the port's interface; each plugging in gives it another number."""
    async with station(tmp_path) as bench:
        numbers = []
        for _ in range(2):
            board = bench.hub.plug(2)
            device = (tmp_path / "sys/class/tty" / board.tty / "device").resolve().parent
            assert device == (tmp_path / "sys/bus/usb/devices/1-1.2").resolve()
            shown = {name: (device / name).read_text().strip() for name in ("idVendor", "serial")}
            assert shown == {"idVendor": "0483", "serial": board.probe}
            numbers.append((device / "dev").read_text())
            bench.hub.unplug(2)
            assert not device.exists()
            assert not [*(tmp_path / "sys/class/tty").iterdir(), *(tmp_path / "sys/bus/usb/devices").iterdir()]
        assert len(set(numbers)) == 2


async def test_the_folders_go_with_their_last_link(tmp_path: Path) -> None:
    """udev removes /dev/serial in the same way."""
    async with station(tmp_path) as bench:
        bench.hub.plug(1)
        bench.hub.plug(2)
        bench.hub.unplug(1)
        assert sorted(links(tmp_path)) == [
            f"serial/by-id/usb-STMicroelectronics_STM32_STLink_{probe.probe}-if02" for _, probe in bench.hub.plugged()
        ] + ["serial/by-path/pci-0000:00:14.0-usb-0:1.2:1.2", "ttyACM1"]
        bench.hub.unplug(2)
        assert list((tmp_path / "dev").iterdir()) == []


async def test_a_new_board_takes_the_lowest_free_device(tmp_path: Path) -> None:
    """The kernel numbers devices in the same way."""
    async with station(tmp_path) as bench:
        first, second = bench.hub.plug(1), bench.hub.plug(2)
        bench.hub.unplug(1)
        assert (second.tty, bench.hub.plug(1, new=True).tty, first.tty) == ("ttyACM1", "ttyACM0", "ttyACM0")


async def test_a_reader_sees_the_hang_up(tmp_path: Path) -> None:
    """The reader of the serial port gets end of file."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        async with bench.line(board) as line:
            bench.hub.unplug(1)
            assert links(tmp_path) == {}
            await line.hung_up.wait()


async def test_a_board_keeps_its_memories_while_it_is_unplugged(tmp_path: Path) -> None:
    """The board boots from them when it is plugged in again."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        board.internal.program(APPLICATION, image("provisioning-flash"))
        bench.hub.unplug(1)
        again = bench.hub.plug(1)
        async with bench.line(again) as line:
            hello = await line.body()
    assert again is board
    assert board.nameplate.uid in hello


async def test_a_bench_finds_its_boards_again(tmp_path: Path) -> None:
    """The boards are at their ports, unplugged; the next fresh board is another."""
    async with station(tmp_path) as bench:
        first = bench.hub.plug(2).nameplate
    async with station(tmp_path) as bench:
        assert list(bench.hub.plugged()) == []
        assert bench.hub.plug(2).nameplate == first
        assert bench.hub.plug(1).nameplate.number == 2


async def test_fresh_boards_differ_and_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    """The seed determines probe serial number and UID."""
    plates = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        async with station(tmp_path / name, settings=Settings(tmp_path, seed=seed, time_scale=0)) as bench:
            boards = [bench.hub.plug(1), bench.hub.plug(2)]
            plates.append([(board.probe, board.nameplate.uid) for board in boards])
    a, b, c = plates
    assert a == b
    assert len({*a, *c}) == 4


async def test_a_fresh_board_is_erased_and_silent(tmp_path: Path) -> None:
    """1 MiB of internal flash and 2 MiB of QSPI flash are all FF."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        assert (board.directory / "internal.bin").read_bytes() == b"\xff" * 0x100000
        assert (board.directory / "qspi.bin").read_bytes() == b"\xff" * 0x200000
        assert (board.directory / "secure_storage.json").read_text() == "[]\n"
        assert "0xFFFFFFFE" in await bench.crash(board)


async def test_a_board_that_stands_in_the_way_is_put_aside(tmp_path: Path) -> None:
    """`--new` brings a board with a new number."""
    async with station(tmp_path) as bench:
        first = bench.hub.plug(1)
        bench.hub.unplug(1)
        second = bench.hub.plug(1, new=True)
    assert (first.nameplate.number, second.nameplate.number) == (1, 2)


async def test_what_cannot_be_plugged_is_refused(tmp_path: Path) -> None:
    """The port does not exist, is taken, or is empty."""
    async with station(tmp_path) as bench:
        bench.hub.plug(1)
        with pytest.raises(HubError, match="no port 3"):
            bench.hub.plug(3)
        with pytest.raises(HubError, match="unplug it first"):
            bench.hub.plug(1)
        with pytest.raises(HubError, match="no board is plugged in"):
            bench.hub.unplug(2)


async def test_a_programmer_loses_its_probe_with_the_board(tmp_path: Path) -> None:
    """The programmer reports the loss and exits with 1; the bytes written so far stay."""
    async with station(tmp_path, {"board": 1, "at": "flash_provisioner", "what": "unplug"}) as bench:
        board = bench.hub.plug(1)
        status, output = await bench.program(*bench.connect(board), *bench.writes())
        assert board.external.read(0x901C0000, 4) != b"\xff" * 4
    assert (status, "Error: ST-LINK error (DEV_USB_COMM_ERR)" in output) == (1, True)


async def test_a_board_that_is_moved_keeps_its_content_and_changes_places(tmp_path: Path) -> None:
    """Its probe goes with it, as on a development kit; also after another start of the bench."""
    async with station(tmp_path) as bench:
        moved, other = bench.hub.plug(1), bench.hub.plug(2)
        with pytest.raises(HubError, match="pulled out first"):
            bench.hub.move(1, 2)
        bench.hub.unplug(1)
        bench.hub.unplug(2)
        assert bench.hub.move(1, 2) is moved
        assert (bench.hub.plug(1), bench.hub.plug(2)) == (other, moved)
        probe = moved.probe
    async with station(tmp_path) as bench:
        assert bench.hub.plug(2).probe == probe  # the name of the folder of its memories
        with pytest.raises(HubError, match="no board stands"):
            bench.hub.move(3, 1)
        with pytest.raises(HubError, match="there is no port"):
            bench.hub.move(1, 99)
