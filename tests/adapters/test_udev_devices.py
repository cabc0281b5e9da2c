# SPDX-License-Identifier: Apache-2.0
"""What udev's events add up to, and what the source makes of events that were thrown away."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from station.adapters.hotplug import udev
from station.adapters.hotplug.udev import Event, Overflowed, UdevHotplug
from station.adapters.hotplug.udev_devices import Node, UdevDevices
from station.faults.line import ResourcesExhausted
from station.faults.slot import ProbeDuplicate
from station.interfaces import BoardArrived, BoardLeft
from tests.adapters.host import port

HUB = "/devices/pci0000:00/0000:00:14.0/usb1/1-1"


def device(number: int, serial_number: str, since: int) -> Node:
    node = Node.of(
        {
            "DEVPATH": f"{HUB}/1-1.{number}",
            "SUBSYSTEM": "usb",
            "DEVTYPE": "usb_device",
            "ID_PATH": port(number),
            "ID_VENDOR_ID": "0483",
            "ID_SERIAL_SHORT": serial_number,
            "MAJOR": "189",
            "MINOR": str(number),
            "USEC_INITIALIZED": str(since),
        }
    )
    assert node
    return node


def serial_port(number: int, since: int, interface: str = "1.2", tty: int | None = None) -> Node:
    name = f"ttyACM{number if tty is None else tty}"
    node = Node.of(
        {
            "DEVPATH": f"{HUB}/1-1.{number}/1-1.{number}:{interface}/tty/{name}",
            "SUBSYSTEM": "tty",
            "DEVNAME": f"/dev/{name}",
            "ID_PATH": f"{port(number)}:{interface}",
            "MAJOR": "166",
            "MINOR": str(number),
            "USEC_INITIALIZED": str(since),
        }
    )
    assert node
    return node


def board(number: int, serial_number: str, since: int) -> list[Node]:
    return [device(number, serial_number, since), serial_port(number, since + 1)]


def probes(devices: UdevDevices) -> dict[str, str]:
    return {place: sighting.board.probe for place, sighting in devices.sightings().items()}


@pytest.mark.parametrize(
    "properties",
    [
        {"DEVPATH": "/devices/virtual/tty/tty1", "SUBSYSTEM": "tty", "USEC_INITIALIZED": "1"},
        {"DEVPATH": "/devices/pnp0/00:04/tty/ttyS0", "SUBSYSTEM": "tty", "USEC_INITIALIZED": "1"},
        {"DEVPATH": f"{HUB}/1-1.1/1-1.1:1.2", "SUBSYSTEM": "usb", "DEVTYPE": "usb_interface", "USEC_INITIALIZED": "1"},
        {"DEVPATH": f"{HUB}/1-1.1", "SUBSYSTEM": "usb", "DEVTYPE": "usb_device"},
    ],
    ids=["console", "port of the PC", "interface", "not finished by udev"],
)
def test_nothing_else_is_a_node(properties: dict[str, str]) -> None:
    """udev tells of everything there is, and the database of devices that its rules have not seen yet."""
    assert Node.of(properties) is None


def test_a_ports_place_is_spelt_as_its_link_is() -> None:
    """The last number of a device's own path is its port on the hub, and not an interface."""
    assert device(2, "066A", 1).place == serial_port(2, 1).place == port(2)


def test_a_probe_with_two_serial_ports_is_one_board() -> None:
    """The port with the smaller interface is the board's, whichever came first."""
    devices = UdevDevices()
    for node in (device(1, "066A", 1), serial_port(1, 2, "1.4", tty=9), serial_port(1, 3, "1.2", tty=4)):
        devices.add(node)
    ((_, sighting),) = devices.sightings().items()
    assert sighting.board == BoardArrived(port(1), "066A", "/dev/ttyACM4")


def test_a_hub_that_went_took_its_boards_along() -> None:
    """Whatever was plugged into it is gone, also if its own event is late."""
    devices = UdevDevices()
    for node in (*board(1, "066A", 1), *board(2, "066B", 3)):
        devices.add(node)
    devices.remove(HUB, 5)
    assert probes(devices) == {}


def test_an_event_that_is_older_than_the_database_changes_nothing() -> None:
    """The database had the second board already; the events about the first still wait."""
    devices = UdevDevices()
    devices.replace(board(1, "066B", 20))
    before = devices.sightings()
    for node in reversed(board(1, "066A", 10)):
        devices.remove(node.path, node.since)
    for node in board(1, "066B", 20):
        devices.add(node)
    assert devices.sightings() == before


def test_the_database_is_held_against_what_is_known() -> None:
    """A board that stayed is the same; one that was exchanged, or came back, is not; the others have gone."""
    devices = UdevDevices()
    for number in (1, 2, 3):
        for node in board(number, f"066{number}", number * 10):
            devices.add(node)
    before = devices.sightings()
    devices.replace([*board(1, "0661", 10), *board(2, "0662", 50)])
    after = devices.sightings()
    assert {place: before[place].stayed(after[place], set()) for place in after} == {port(1): True, port(2): False}
    assert list(after) == [port(1), port(2)]


def test_a_double_without_a_place_counts() -> None:
    """A probe without a serial port, at a port that is no slot."""
    devices = UdevDevices()
    for node in (*board(1, "066A", 1), device(7, "066a", 5)):
        devices.add(node)
    assert [len(sighting.others) for sighting in devices.sightings().values()] == [1]


def test_a_device_that_is_taken_from_its_driver_is_still_plugged_in() -> None:
    """At a disconnection `unbind` comes first, when udev may not be able to read whose device it was."""
    without_vendor = {"DEVPATH": "/d/1-1", "SUBSYSTEM": "usb", "DEVTYPE": "usb_device", "USEC_INITIALIZED": "7"}
    assert Event.of("unbind", without_vendor) == Event("/d/1-1", 7, None, gone=False)
    assert Event.of("remove", without_vendor) == Event("/d/1-1", 7, None, gone=True)
    assert Event.of("bind", without_vendor).node


class FakeUdev:
    """Events that wait in a list, a pipe that is readable while there are any, and a database."""

    def __init__(self) -> None:
        self.waiting: list[Event | Exception] = []
        self.database: list[Node] = []
        self.reads = 0
        self._reading, self._writing = os.pipe()

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator["FakeUdev"]:
        fake = cls()
        try:
            yield fake
        finally:
            os.close(fake._reading)
            os.close(fake._writing)

    def send(self, *events: Event | Exception) -> None:
        self.waiting.extend(events)
        os.write(self._writing, b"x" * len(events))

    def fileno(self) -> int:
        return self._reading

    def take(self) -> Event | None:
        if not self.waiting:
            return None
        os.read(self._reading, 1)
        event = self.waiting.pop(0)
        if isinstance(event, Exception):
            raise event
        return event

    def found(self) -> list[Node]:
        self.reads += 1
        return list(self.database)


def came(*nodes: Node) -> list[Event]:
    return [Event(node.path, node.since, node, gone=False) for node in nodes]


def went(*nodes: Node) -> list[Event]:
    return [Event(node.path, node.since, None, gone=True) for node in nodes]


async def test_what_an_overflow_has_swallowed_is_in_the_database() -> None:
    """One board has left and one was exchanged, and no event tells of them; the database is read when no event waits."""
    with FakeUdev.opened() as fake:
        hotplug = UdevHotplug(fake)
        fake.database = [*board(1, "066A", 10), *board(2, "066B", 20), *board(3, "066C", 30)]
        async with asyncio.timeout(200):
            assert [(await hotplug.next()).path for _ in range(3)] == [port(1), port(2), port(3)]
            fake.database = [*board(1, "066A", 10), *board(2, "066D", 40)]
            fake.send(*went(*board(1, "066A", 10)), Overflowed(), *came(*board(1, "066A", 10)))
            told = [await hotplug.next() for _ in range(5)]
        assert told[:3] == [BoardLeft(port(number)) for number in (1, 2, 3)]
        assert {board.probe for board in told[3:] if isinstance(board, BoardArrived)} == {"066A", "066D"}
        assert fake.reads == 2
        assert not fake.waiting


async def test_a_database_that_cannot_be_read_is_read_again() -> None:
    """The daemon pauses the line for want of descriptors, and asks again: then the boards arrive."""

    class Scarce(FakeUdev):
        def found(self) -> list[Node]:
            if not self.reads:
                self.reads = 1
                raise ResourcesExhausted("read udev's database", "Too many open files")
            return super().found()

    with Scarce.opened() as fake:
        fake.database = board(1, "066A", 10)
        hotplug = UdevHotplug(fake)
        async with asyncio.timeout(200):
            with pytest.raises(ResourcesExhausted):
                await hotplug.next()
            assert await hotplug.next() == BoardArrived(port(1), "066A", "/dev/ttyACM1")


async def test_a_cancelled_wait_loses_no_event() -> None:
    """Whoever waits with a deadline asks again."""
    with FakeUdev.opened() as fake:
        hotplug = UdevHotplug(fake)
        waiting = asyncio.ensure_future(hotplug.next())
        for _ in range(3):
            await asyncio.sleep(0)
        fake.send(*came(*board(1, "066A", 10)))
        waiting.cancel()
        async with asyncio.timeout(200):
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert await hotplug.next() == BoardArrived(port(1), "066A", "/dev/ttyACM1")


async def test_a_cancellation_between_two_turns_loses_no_event() -> None:
    """The last event has been taken, and nothing has been told of it."""
    with FakeUdev.opened() as fake:
        hotplug = UdevHotplug(fake)
        waiting = asyncio.ensure_future(hotplug.next())
        nodes = [node for number in range(udev.AT_ONCE // 2) for node in board(number, f"066{number:02}", number + 1)]
        async with asyncio.timeout(30):
            while not fake.reads:
                await asyncio.sleep(0)
            fake.send(*came(*nodes))
            while fake.waiting:
                await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert (await hotplug.next()).path == port(0)


async def test_more_events_than_one_turn_takes_are_all_taken() -> None:
    """The loop gets its turn in between, and the order stays."""
    with FakeUdev.opened() as fake:
        fake.database = board(99, "FFFF", 1)
        hotplug = UdevHotplug(fake)
        nodes = [node for number in range(64, 0, -1) for node in board(number, f"066{number:02}", number)]
        assert len(nodes) > udev.AT_ONCE
        async with asyncio.timeout(200):
            await hotplug.next()
            fake.send(*came(*nodes))
            told = [await hotplug.next() for _ in range(64)]
        assert [event.path for event in told] == [port(number) for number in range(64, 0, -1)]


async def test_an_exchange_whose_device_is_another_is_seen_within_one_look() -> None:
    """All four events wait when the source looks; what is there at the end is told."""
    with FakeUdev.opened() as fake:
        fake.database = [*board(1, "066A", 10), *board(2, "066B", 20)]
        hotplug = UdevHotplug(fake)
        async with asyncio.timeout(200):
            for _ in range(2):
                await hotplug.next()
            fake.send(*went(*reversed(board(1, "066A", 10))), *came(*board(1, "066B", 30)))
            told = [await hotplug.next() for _ in range(4)]
        assert told[:2] == [BoardLeft(port(1)), BoardLeft(port(2))]
        assert [type(event.refused) for event in told[2:] if isinstance(event, BoardArrived)] == [ProbeDuplicate] * 2
