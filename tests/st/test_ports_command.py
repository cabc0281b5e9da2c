# SPDX-License-Identifier: Apache-2.0
"""`station ports`: the plugged devices, and whether they can be used."""

import json
import os
import termios
from collections.abc import Iterator
from pathlib import Path
from termios import error as TerminalError  # noqa: N812  the standard library has it in lower case

import pytest
from typer.testing import CliRunner

from station.adapters.system import usb_access
from station.adapters.system.usb_access import Access
from station.cli import app


@pytest.fixture
def devices(tmp_path: Path) -> Iterator[Path]:
    """Two probes: the first one's port is a pty, the second one's has gone."""
    master, slave = os.openpty()
    for kind in ("by-id", "by-path"):
        (tmp_path / "serial" / kind).mkdir(parents=True)
    (tmp_path / "gone").touch()
    for number, tty in ((1, os.ttyname(slave)), (2, str(tmp_path / "gone"))):
        name = f"usb-STMicroelectronics_STM32_STLink_066DFF0{number}-if02"
        (tmp_path / "serial" / "by-id" / name).symlink_to(tty)
        (tmp_path / "serial" / "by-path" / f"pci-0-usb-0:1.{number}:1.2").symlink_to(tty)
    os.close(slave)
    yield tmp_path / "serial"
    os.close(master)


def test_each_port_is_listed_with_its_probe_and_whether_it_opens(devices: Path) -> None:
    """The ports come in the order of their places."""
    done = CliRunner().invoke(app, ["ports", "--devices", str(devices), "--json"])
    first, second = json.loads(done.stdout)["ports"]
    assert (first["path"], first["probe"], first["opens"]) == ("pci-0-usb-0:1.1", "066DFF01", "yes")
    assert (second["path"], second["probe"], second["opens"][:3]) == ("pci-0-usb-0:1.2", "066DFF02", "no:")
    assert done.exit_code == 1


def test_the_table_keeps_whole_paths(devices: Path) -> None:
    """People copy the paths into the configuration."""
    done = CliRunner().invoke(app, ["ports", "--devices", str(devices)], env={"COLUMNS": "300"})
    assert "pci-0-usb-0:1.1 " in done.stdout


@pytest.mark.parametrize("call", ["tcsetattr", "tcflush"])
def test_an_error_of_the_terminal_is_told_in_words(devices: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """The table lists the port as one that cannot be opened, without a traceback."""

    def fail(*_: object) -> None:
        raise TerminalError(5, "Input/output error")

    monkeypatch.setattr(termios, call, fail)
    done = CliRunner().invoke(app, ["ports", "--devices", str(devices), "--json"])
    assert json.loads(done.stdout)["ports"][0]["opens"] == "no: Input/output error"
    assert done.exit_code == 1


def test_probes_with_one_serial_number_are_told_as_refused(devices: Path) -> None:
    """Both ports are listed, although udev has made only one link."""
    (devices / "by-id" / "usb-STMicroelectronics_STM32_STLink_066DFF02-if02").unlink()
    done = CliRunner().invoke(app, ["ports", "--devices", str(devices), "--json"])
    refused = [port["refused"] for port in json.loads(done.stdout)["ports"]]
    assert [text.startswith("Two probes have the same serial number") for text in refused] == [True, True]
    assert done.exit_code == 1


def test_an_empty_bench_is_said_in_words(tmp_path: Path) -> None:
    """An empty bench is not an error."""
    done = CliRunner().invoke(app, ["ports", "--devices", str(tmp_path)])
    assert done.exit_code == 0
    assert "No ST-LINK with a serial port is plugged in" in done.stdout


def test_a_path_on_the_slot_list_has_its_slots_name(devices: Path, tmp_path: Path) -> None:
    """The daemon never touches the other ports."""
    config = tmp_path / "line.toml"
    pki = "\n".join(f'{name} = "x"' for name in ("ca", "certificate", "key", "pai", "paa"))
    config.write_text(
        'recipe = "r.toml"\n[station]\nname = "line"\nstate = "state"\n[programmer]\ncli = "c"\nexternal_loader = "l"\n'
        f'[hotplug]\nsource = "links"\ndirectory = "serial"\n[pki]\nurl = "https://pki"\n{pki}\n'
        '[[slot]]\nname = "A"\npath = "pci-0-usb-0:1.2"\n'
    )
    done = CliRunner().invoke(app, ["ports", "--config", str(config), "--json"])
    assert [port["slot"] for port in json.loads(done.stdout)["ports"]] == [None, "A"]


@pytest.mark.parametrize(("node", "expected"), [(True, Access.ALLOWED), (False, Access.UNKNOWN)])
def test_the_probes_device_node_is_found_by_sysfs(tmp_path: Path, node: bool, expected: Access) -> None:  # noqa: FBT001
    """The port is an interface of the probe; bus and number of the device above it name its node."""
    device = tmp_path / "devices" / "usb1" / "1-4"
    interface = device / "1-4:1.2"
    interface.mkdir(parents=True)
    (device / "busnum").write_text("1\n")
    (device / "devnum").write_text("7\n")
    (tmp_path / "class" / "ttyACM0").mkdir(parents=True)
    (tmp_path / "class" / "ttyACM0" / "device").symlink_to(interface)
    if node:
        (tmp_path / "nodes" / "001").mkdir(parents=True)
        (tmp_path / "nodes" / "001" / "007").touch()
    assert usb_access.of_probe("/dev/ttyACM0", tmp_path / "class", tmp_path / "nodes") is expected


def test_a_port_that_is_no_usb_device_is_unknown(tmp_path: Path) -> None:
    """The virtual bench has such ports."""
    assert usb_access.of_probe("/dev/pts/0", tmp_path, tmp_path) is Access.UNKNOWN
