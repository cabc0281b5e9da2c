# SPDX-License-Identifier: Apache-2.0
"""What the list of serial ports tells, on systems without udev."""

import pytest
from serial.tools.list_ports_common import ListPortInfo

from station.adapters.hotplug import arrivals, poll
from station.adapters.hotplug.poll import Port
from station.interfaces import BoardArrived, BoardLeft

MAC = "/dev/cu.usbmodem1103"


def port(place: str, serial_number: str, inode: int = 1, tty: str = MAC, vendor: str = "0483") -> Port:
    return Port(tty, place, vendor, serial_number, inode)


def info(device: str, location: str | None, vid: int | None = 0x0483) -> ListPortInfo:
    found = ListPortInfo(device)
    found.location, found.serial_number = location or "", "066A"
    if vid is not None:
        found.vid = vid
    return found


@pytest.mark.parametrize(
    ("sysfs", "expected"),
    [
        ("/sys/devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1.4", "pci-0000:00:14.0-usb-0:1.4"),
        ("/sys/devices/pci0000:00/0000:00:1c.0/0000:02:00.0/usb3/3-2", "pci-0000:02:00.0-usb-0:2"),
        ("/sys/devices/platform/soc/3f980000.usb/usb1/1-1/1-1.4", "usb-1-1.4"),
        ("", "usb-1-1.4"),
    ],
    ids=["behind a hub", "at a controller behind a bridge", "no PCI", "no sysfs"],
)
def test_a_place_is_spelt_as_udev_spells_it_where_it_can_be_known(sysfs: str, expected: str) -> None:
    """A slot's path means the same whichever source looks at it; other systems have a name of pyserial's."""
    assert poll.place_of(sysfs, "1-1.4") == expected


@pytest.mark.parametrize("found", [info("/dev/ttyS0", None, None), info("/dev/cu.Bluetooth", None)])
def test_ports_of_no_usb_device_are_no_boards(found: ListPortInfo) -> None:
    """They have neither vendor nor place."""
    assert Port.of(found) is None


def test_interfaces_of_one_device_are_one_board() -> None:
    """Some probes have two serial ports."""
    ports = [Port.of(info(name, location)) for name, location in (("COM4", "1-3:x.0"), ("COM5", "1-3:x.2"))]
    seen = poll.sightings([found for found in ports if found])
    assert arrivals.boards(seen) == {"usb-1-3": BoardArrived("usb-1-3", "066A", "COM4")}


def test_a_port_with_another_inode_is_a_new_arrival() -> None:
    """It went and came back between two looks."""
    told, first = arrivals.news({}, poll.sightings([port("usb-1", "066A")]))
    same = arrivals.news(told, poll.sightings([port("usb-1", "066A")]))[1]
    again = arrivals.news(told, poll.sightings([port("usb-1", "066A", inode=2)]))[1]
    board = BoardArrived("usb-1", "066A", MAC)
    assert (first, same, again) == ([board], [], [BoardLeft("usb-1"), board])


def test_two_devices_with_one_serial_number_are_both_refused() -> None:
    """The judgement is the one of all sources."""
    seen = poll.sightings([port("usb-1", "066A"), port("usb-2", "066a", tty="/dev/cu.usbmodem2103")])
    _, told = arrivals.news({}, seen)
    assert [event.refused.code for event in told if isinstance(event, BoardArrived) and event.refused] == [
        "probe.duplicate"
    ] * 2
