# SPDX-License-Identifier: Apache-2.0
"""Which boards can be told from one another: by the kernel's devices if there is a sysfs, otherwise by links."""

import errno
import os
from pathlib import Path

import pytest

from station.adapters.hotplug import links
from station.faults.line import ResourcesExhausted
from station.faults.slot import ProbeDuplicate, ProbeUnidentified
from tests.adapters.host import FTDI, Host, named, port

SERIAL_NUMBER, OTHER = "066DFF323535474B43125623", "0669FF544852717267105722"


@pytest.fixture(params=[True, False], ids=["sysfs", "no sysfs"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    return Host(tmp_path, kernel=request.param)


@pytest.fixture
def kernel(tmp_path: Path) -> Host:
    return Host(tmp_path, kernel=True)


def refusals(host: Host) -> dict[str, type | None]:
    boards = links.boards_in(host.directory)
    return {path: type(board.refused) if board.refused else None for path, board in boards.items()}


def probes(host: Host) -> dict[str, str]:
    return {path: board.probe for path, board in links.boards_in(host.directory).items()}


def test_two_probes_of_one_serial_number_and_one_link_are_both_refused(host: Host) -> None:
    """udev has made one link in by-id for both, to the port that came last; the other port has no name."""
    for number in (1, 2):
        host.plug(number, SERIAL_NUMBER)
        host.place(number)
        host.name(number, named(SERIAL_NUMBER))
    assert refusals(host) == {port(1): ProbeDuplicate, port(2): ProbeDuplicate}


def test_the_third_probe_is_not_refused_with_two_of_one_serial_number(kernel: Host) -> None:
    """sysfs shows the serial number of each probe."""
    for number, serial_number in ((1, SERIAL_NUMBER), (2, SERIAL_NUMBER), (3, OTHER)):
        kernel.plug(number, serial_number)
        kernel.place(number)
        kernel.name(number, named(serial_number))
    assert refusals(kernel) == {port(1): ProbeDuplicate, port(2): ProbeDuplicate, port(3): None}


def test_without_sysfs_no_named_port_is_believed_beside_a_nameless_one(tmp_path: Path) -> None:
    """Each of them may have the serial number of the port without a name."""
    host = Host(tmp_path, kernel=False)
    for number in (1, 2, 3):
        host.place(number)
    host.name(2, named(SERIAL_NUMBER))
    host.name(3, named(OTHER))
    assert set(refusals(host).values()) == {ProbeDuplicate}


def test_a_probe_of_the_same_serial_number_without_a_port_refuses_the_other(kernel: Host) -> None:
    """An ST-LINK/V2 has no serial port; the programmer may use it in place of the requested probe."""
    kernel.plug(1, SERIAL_NUMBER)
    kernel.place(1)
    kernel.name(1, named(SERIAL_NUMBER))
    kernel.plug(2, SERIAL_NUMBER.lower())
    (kernel.root / "sys" / "class" / "tty" / "ttyACM2").unlink()
    assert refusals(kernel) == {port(1): ProbeDuplicate}


def test_the_kernel_names_a_probe_that_udev_has_not_named(kernel: Host) -> None:
    """The device in sysfs has the serial number, and no other device has it."""
    for number, serial_number in ((1, SERIAL_NUMBER), (2, OTHER)):
        kernel.plug(number, serial_number)
        kernel.place(number)
    kernel.name(1, named(SERIAL_NUMBER))
    assert refusals(kernel) == {port(1): None, port(2): None}
    assert probes(kernel) == {port(1): SERIAL_NUMBER, port(2): OTHER}


def test_a_probe_without_serial_number_and_name_refuses_those_beside_it(kernel: Host) -> None:
    """The probe is ST's, and nothing distinguishes it from its neighbour."""
    kernel.plug(1, None)
    kernel.place(1)
    kernel.plug(2, SERIAL_NUMBER)
    kernel.place(2)
    kernel.name(2, named(SERIAL_NUMBER))
    assert refusals(kernel) == {port(1): ProbeDuplicate, port(2): ProbeDuplicate}


def test_the_products_name_is_no_serial_number(host: Host) -> None:
    """The link of a probe without a serial number ends in `STLink`; its neighbour is another board."""
    host.plug(1, None)
    host.place(1)
    host.name(1, "usb-STMicroelectronics_STM32_STLink-if02")
    host.plug(2, SERIAL_NUMBER)
    host.place(2)
    host.name(2, named(SERIAL_NUMBER))
    assert refusals(host) == {port(1): ProbeUnidentified, port(2): None}


@pytest.mark.parametrize("model", ["STM32_STLink", "STLINK-V3", "ST-LINK_V2.1", "STM32_STLink_V3"])
def test_the_serial_number_stands_behind_every_products_name(tmp_path: Path, model: str) -> None:
    """The serial number is found after a product name of any number of words."""
    host = Host(tmp_path, kernel=False)
    host.place(1)
    host.name(1, named(SERIAL_NUMBER, model))
    assert probes(host) == {port(1): SERIAL_NUMBER}


def test_a_serial_adapter_beside_a_probe_is_refused_alone(host: Host) -> None:
    """The adapter's vendor, its driver, or its link in by-id shows another maker."""
    host.plug(1, SERIAL_NUMBER)
    host.place(1)
    host.name(1, named(SERIAL_NUMBER))
    for number in (2, 3):  # of a kind without serial numbers, so that udev has one name for both
        host.plug(number, None, vendor=FTDI, driver="ttyUSB")
        host.place(number, interface="1.0", tty="ttyUSB")
        host.name(number, "usb-1a86_USB_Serial-if00-port0", tty="ttyUSB")
    assert refusals(host) == {port(1): None, port(2): ProbeUnidentified, port(3): ProbeUnidentified}


def test_two_links_to_one_port_are_one_board(host: Host) -> None:
    """systemd 255 makes two links; the board's path has the older spelling."""
    host.plug(1, SERIAL_NUMBER)
    host.place(1)
    host.place(1, "usbv2")
    host.name(1, named(SERIAL_NUMBER))
    assert links.boards_in(host.directory) == {port(1): host.arrived(1, SERIAL_NUMBER)}


def test_a_probe_with_two_serial_ports_is_one_board(host: Host) -> None:
    """Some probes have a second port, at another interface of the same device."""
    host.plug(1, SERIAL_NUMBER)
    host.place(1)
    host.name(1, named(SERIAL_NUMBER))
    second = host.directory / "by-path" / f"{port(1)}:1.4"
    second.symlink_to("../../ttyACM9")
    (host.directory / "by-id" / named(SERIAL_NUMBER).replace("if02", "if04")).symlink_to("../../ttyACM9")
    if (ttys := host.root / "sys" / "class" / "tty").exists():
        (ttys / "ttyACM9").symlink_to((ttys / "ttyACM1").resolve())
    assert links.boards_in(host.directory) == {port(1): host.arrived(1, SERIAL_NUMBER)}


def test_a_link_to_a_port_that_the_kernel_has_no_more_is_no_board(kernel: Host) -> None:
    """The kernel is rid of the device before udev has removed the links."""
    kernel.plug(1, SERIAL_NUMBER)
    kernel.place(1)
    kernel.name(1, named(SERIAL_NUMBER))
    (kernel.root / "sys" / "class" / "tty" / "ttyACM1").unlink()
    assert links.boards_in(kernel.directory) == {}


@pytest.mark.parametrize("call", ["open", "listdir"])
def test_no_board_has_left_because_the_kernel_could_not_be_asked(
    kernel: Host, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another slot took the last descriptor for a moment; each system call of the scan is tried without one."""
    kernel.plug(1, SERIAL_NUMBER)
    kernel.place(1)
    kernel.name(1, named(SERIAL_NUMBER))
    real, calls = getattr(os, call), 0

    def scarce(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == denied:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real(*arguments)

    monkeypatch.setattr(os, call, scarce)
    for denied in range(1, 1000):
        calls = 0
        try:
            boards = links.boards_in(kernel.directory)
        except ResourcesExhausted:
            continue
        assert port(1) in boards
        assert calls < denied
        return
