# SPDX-License-Identifier: Apache-2.0
"""Hotplug from links: the boards that the directory shows, and the changes."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import NoReturn

import pytest

from station.adapters.hotplug import arrivals, links, sightings
from station.faults.line import ResourcesExhausted
from station.faults.slot import ProbeDuplicate, ProbeUnidentified
from station.interfaces import BoardArrived, BoardLeft
from tests.adapters.host import Host, named, port

PATH = "pci-0000:00:14.0-usb-0:1.1"


class Serial:
    """A directory that a test lays out like udev's /dev/serial."""

    def __init__(self, root: Path) -> None:
        self.directory = root / "serial"
        self.root = root

    def plug(self, number: int, probe: str, model: str = "STM32_STLink") -> None:
        self.link("by-path", f"pci-0000:00:14.0-usb-0:1.{number}:1.2", number)
        self.link("by-id", f"usb-STMicroelectronics_{model}_{probe}-if02", number)

    def link(self, folder: str, name: str, number: int) -> None:
        (self.directory / folder).mkdir(parents=True, exist_ok=True)
        (self.directory / folder / name).symlink_to(f"../../ttyACM{number}")

    def unplug(self, number: int, probe: str, model: str = "STM32_STLink") -> None:
        (self.directory / "by-id" / f"usb-STMicroelectronics_{model}_{probe}-if02").unlink()
        (self.directory / "by-path" / f"pci-0000:00:14.0-usb-0:1.{number}:1.2").unlink()
        for folder in (self.directory / "by-id", self.directory / "by-path", self.directory):
            if not any(folder.iterdir()):
                folder.rmdir()

    def arrived(self, number: int, probe: str) -> BoardArrived:
        return BoardArrived(f"pci-0000:00:14.0-usb-0:1.{number}", probe, str(self.root / f"ttyACM{number}"))


@pytest.fixture
def serial(tmp_path: Path) -> Serial:
    return Serial(tmp_path)


def test_a_board_is_its_port_probe_and_tty(serial: Serial) -> None:
    """The path is the place on the hub, without the interface; the tty is the device node and not a link's target."""
    serial.plug(1, "066CFF001")
    assert links.boards_in(serial.directory) == {PATH: serial.arrived(1, "066CFF001")}


def test_no_directory_means_no_boards(serial: Serial) -> None:
    """udev makes the directory of links only while something is plugged in."""
    assert links.boards_in(serial.directory) == {}


def test_two_probes_with_one_serial_number_are_both_refused(serial: Serial) -> None:
    """Neither probe can be told from the other, so the station touches neither."""
    serial.plug(1, "066CFF001")
    serial.plug(2, "066CFF001", model="STLINK-V3")
    assert [type(board.refused) for board in links.boards_in(serial.directory).values()] == [ProbeDuplicate] * 2


def test_a_port_without_a_probe_is_refused(serial: Serial) -> None:
    """A serial adapter of another make in a slot is not an ST-LINK."""
    serial.link("by-path", "pci-0000:00:14.0-usb-0:1.1:1.0", 1)
    serial.link("by-id", "usb-FTDI_FT232R_A50285BI-if00-port0", 1)
    board = links.boards_in(serial.directory)[PATH]
    assert isinstance(board.refused, ProbeUnidentified)


def test_an_exchanged_board_left_and_arrived(serial: Serial) -> None:
    """An exchange is noticed even if no scan happened between the two boards."""
    before = {PATH: serial.arrived(1, "A")}
    after = {PATH: serial.arrived(1, "B")}
    assert list(arrivals.changes(before, after)) == [BoardLeft(PATH), serial.arrived(1, "B")]


def test_a_refused_board_that_stays_is_no_news(serial: Serial) -> None:
    """A refused board is reported once, in however many scans it appears."""
    serial.plug(1, "066CFF001")
    serial.plug(2, "066CFF001", model="STLINK-V3")
    assert list(arrivals.changes(links.boards_in(serial.directory), links.boards_in(serial.directory))) == []


async def test_boards_that_are_there_at_the_start_arrive_first(serial: Serial) -> None:
    """Boards that were plugged in before the daemon started arrive, too."""
    serial.plug(1, "A")
    async with links.watching(serial.directory) as hotplug, asyncio.timeout(200):
        assert await hotplug.next() == serial.arrived(1, "A")


async def test_the_directory_may_come_and_go_with_its_last_link(serial: Serial) -> None:
    """Arrivals are noticed each time, from the very first."""
    async with links.watching(serial.directory) as hotplug, asyncio.timeout(200):
        for _ in range(3):
            serial.plug(1, "A")
            assert await hotplug.next() == serial.arrived(1, "A")
            serial.unplug(1, "A")
            assert await hotplug.next() == BoardLeft(PATH)


async def test_a_whole_hub_plugged_in_at_once_arrives_whole(serial: Serial) -> None:
    """Every board arrives, however many links one look answers for, in the order in which udev made the links."""
    order = [number * 37 % 65 for number in range(1, 65)]
    async with links.watching(serial.directory) as hotplug, asyncio.timeout(200):
        serial.plug(99, "FFFF")
        await hotplug.next()
        for number in order:
            serial.plug(number, f"{number:04}")
        arrived = [await hotplug.next() for _ in range(64)]
    assert arrived == [serial.arrived(number, f"{number:04}") for number in order]


@pytest.mark.parametrize("beside", [True, False], ids=["beside another", "alone"])
async def test_a_board_that_left_and_came_back_is_a_new_arrival(serial: Serial, *, beside: bool) -> None:
    """A quick return is noticed although the links have the same names, targets and perhaps inodes."""
    serial.plug(1, "A")
    if beside:
        serial.plug(2, "B")
    async with links.watching(serial.directory) as hotplug, asyncio.timeout(200):
        arrived = [await hotplug.next() for _ in range(1 + beside)]
        assert serial.arrived(1, "A") in arrived
        for _ in range(50):
            serial.unplug(1, "A")
            serial.plug(1, "A")
            assert await hotplug.next() == BoardLeft(PATH)
            assert await hotplug.next() == serial.arrived(1, "A")
        serial.unplug(1, "A")
        assert await hotplug.next() == BoardLeft(PATH)


async def test_boards_that_come_back_while_nobody_reads_events_are_told_once(serial: Serial) -> None:
    """A whole hub is switched off and on several times; each board is reported once."""
    for number in range(1, 17):
        serial.plug(number, f"{number:04}")
    async with links.watching(serial.directory) as hotplug, asyncio.timeout(200):
        for _ in range(16):
            await hotplug.next()
        for _ in range(3):
            for number in range(1, 17):
                serial.unplug(number, f"{number:04}")
            for number in range(1, 17):
                serial.plug(number, f"{number:04}")
        told = [await hotplug.next() for _ in range(32)]
        assert sorted(map(str, told[:16])) == sorted(str(BoardLeft(PATH[:-1] + str(n))) for n in range(1, 17))
        assert sorted(map(str, told[16:])) == sorted(str(serial.arrived(n, f"{n:04}")) for n in range(1, 17))
        serial.unplug(1, "0001")
        assert await hotplug.next() == BoardLeft(PATH)


async def test_another_link_to_a_port_is_no_news(serial: Serial) -> None:
    """udev makes the second of its two links a moment after the first, and touches existing links."""
    serial.plug(1, "A")
    async with links.watching(serial.directory) as hotplug, asyncio.timeout(200):
        await hotplug.next()
        serial.link("by-path", "pci-0000:00:14.0-usbv2-0:1.1:1.2", 1)
        os.utime(serial.directory / "by-path" / f"{PATH}:1.2", follow_symlinks=False)
        serial.plug(2, "B")
        assert await hotplug.next() == serial.arrived(2, "B")


async def test_a_board_that_came_back_with_its_other_link_first_is_a_new_arrival(serial: Serial) -> None:
    """by-path may have two spellings of the port; a scan between the two links finds none of the links from before."""
    serial.plug(1, "A")
    async with links.watching(serial.directory) as hotplug, asyncio.timeout(200):
        assert await hotplug.next() == serial.arrived(1, "A")
        (serial.directory / "by-path" / f"{PATH}:1.2").unlink()
        serial.link("by-path", "pci-0000:00:14.0-usbv2-0:1.1:1.2", 1)
        assert await hotplug.next() == BoardLeft(PATH)
        assert await hotplug.next() == serial.arrived(1, "A")


async def test_a_device_that_the_kernel_numbers_anew_is_a_new_arrival(tmp_path: Path) -> None:
    """A new device number reveals the arrival even if the link has stayed."""
    host = Host(tmp_path, kernel=True)
    host.plug(1, "066A")
    host.place(1)
    async with links.watching(host.directory) as hotplug, asyncio.timeout(200):
        assert await hotplug.next() == host.arrived(1, "066A")
        (tmp_path / "sys/devices/usb1/1-1/1-1.1/dev").write_text("189:99\n")
        host.name(1, named("066A"))
        assert await hotplug.next() == BoardLeft(PATH)
        assert await hotplug.next() == host.arrived(1, "066A")


async def test_no_board_arrives_beside_a_port_that_may_have_its_serial_number(tmp_path: Path) -> None:
    """Without sysfs, boards beside a nameless port wait until its links have settled, since it may have their serial number."""
    host = Host(tmp_path, kernel=False)
    async with links.watching(host.directory) as hotplug, asyncio.timeout(200):
        host.place(1)
        host.name(1, named("066A"))
        assert await hotplug.next() == host.arrived(1, "066A")
        host.place(2)
        host.name(2, named("066A"))  # taken from port 1
        assert await hotplug.next() == BoardLeft(port(1))
        refused = [await hotplug.next() for _ in range(2)]
    assert {type(board.refused) for board in refused if isinstance(board, BoardArrived)} == {ProbeDuplicate}
    assert {board.path for board in refused} == {port(1), port(2)}


async def test_files_that_come_and_go_near_by_put_no_board_off(tmp_path: Path) -> None:
    """Other devices come and go in the folder above, and each of them wakes the watch."""
    host = Host(tmp_path, kernel=False)
    host.place(1)  # gets no name
    host.place(2)
    host.name(2, named("066A"))

    async def others() -> None:
        while True:
            await asyncio.sleep(links.SETTLED_AFTER / 5)
            (tmp_path / "dev" / "loop0").touch()
            (tmp_path / "dev" / "loop0").unlink()

    async with links.watching(host.directory) as hotplug:
        coming = asyncio.ensure_future(others())
        async with asyncio.timeout(200):
            told = [await hotplug.next() for _ in range(2)]
        coming.cancel()
    assert {board.path for board in told} == {port(1), port(2)}


async def test_only_a_link_that_has_changed_is_read_again(serial: Serial, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at a full hub costs as much as what has changed; a link of the same name that was made anew has."""
    read: list[str] = []
    readlink = os.readlink

    def noted(path: str) -> str:
        read.append(Path(path).name)
        return readlink(path)

    async with links.watching(serial.directory) as hotplug:
        for number in (1, 2):  # the folders are watched from then on
            serial.plug(number, f"066CFF00{number}")
            assert await hotplug.next() == serial.arrived(number, f"066CFF00{number}")
        monkeypatch.setattr(os, "readlink", noted)
        serial.plug(3, "066CFF003")
        assert await hotplug.next() == serial.arrived(3, "066CFF003")
        assert {name for name in read if "1.1:" in name or "FF001" in name} == set()
        serial.unplug(1, "066CFF001")
        serial.link("by-path", "pci-0000:00:14.0-usb-0:1.1:1.2", 7)
        serial.link("by-id", "usb-STMicroelectronics_STM32_STLink_066CFF001-if02", 7)
        assert await hotplug.next() == BoardLeft(PATH)
        assert await hotplug.next() == BoardArrived(PATH, "066CFF001", str(serial.root / "ttyACM7"))


async def test_only_a_device_behind_a_changed_link_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events tell of every port that comes or goes, so the others' devices are the ones of before."""
    host, read = Host(tmp_path, kernel=True), list[str]()
    opened = os.open

    def noted(path: str, *how: int) -> int:
        read.append(path)
        return opened(path, *how)

    def come(number: int) -> None:
        host.plug(number, f"066A{number}")
        host.place(number)
        host.name(number, named(f"066A{number}"))

    async with links.watching(host.directory) as hotplug, asyncio.timeout(200):
        for number in (1, 2):  # the folders are watched from then on
            come(number)
            assert await hotplug.next() == host.arrived(number, f"066A{number}")
        monkeypatch.setattr(os, "open", noted)
        come(3)
        assert await hotplug.next() == host.arrived(3, "066A3")
    numbers = [path for path in read if path.endswith("/dev")]
    assert numbers
    assert all("ttyACM3" in path or "1-1.3" in path for path in numbers)


async def test_a_scan_that_fails_is_repeated(serial: Serial, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has taken the events that called for it, so nothing else would tell of the board."""
    serial.plug(1, "066CFF001")
    async with links.watching(serial.directory) as source:
        assert await source.next() == serial.arrived(1, "066CFF001")
        serial.plug(2, "066CFF002")
        with monkeypatch.context() as patched:
            patched.setattr(sightings, "found", _exhausted)
            with pytest.raises(ResourcesExhausted):
                await source.next()
        async with asyncio.timeout(5):
            assert await source.next() == serial.arrived(2, "066CFF002")


async def test_a_board_that_comes_while_nobody_asks_is_told(serial: Serial) -> None:
    """Whoever asks is cancelled in the moment in which the links of one board are gathered, too."""
    async with links.watching(serial.directory) as source:
        asking = asyncio.ensure_future(source.next())
        await asyncio.sleep(0.01)
        serial.plug(1, "066CFF001")
        await asyncio.sleep(links.GATHERED_FOR / 2)
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            assert await asking == serial.arrived(1, "066CFF001")
            return  # a slow machine was done before
        async with asyncio.timeout(5):
            assert await source.next() == serial.arrived(1, "066CFF001")


def _exhausted(*_: object) -> NoReturn:
    raise ResourcesExhausted("list boards", "no descriptor is left")
