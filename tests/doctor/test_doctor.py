# SPDX-License-Identifier: Apache-2.0
"""The doctor's checks, on pretended machines, and the command's exit codes."""

import json
import resource
import shutil
from pathlib import Path

import pytest

from station.cli.line.doctor import EXIT
from station.config import shipped
from station.config.line import Config
from station.config.sections import HotplugSection, ProgrammerSection, SlotSection, StationSection
from station.doctor import machine, services, usb
from station.doctor.finding import Finding, State, advice, bad, good, unknown, worst
from tests.builders.commands import station

RULE = 'ATTRS{idVendor}=="0483", MODE="0660", GROUP="plugdev"\n'
IGNORED = 'ATTRS{idVendor}=="0483", ENV{ID_MM_DEVICE_IGNORE}="1"\n'


def configuration(folder: Path) -> Config:
    """A line on a bench in this folder."""
    return Config(
        recipe=folder / "recipe.toml",
        station=StationSection(name="line-1", state=folder / "state", witness=folder / "register"),
        programmer=ProgrammerSection(cli=folder / "cli", external_loader=folder / "loader"),
        hotplug=HotplugSection(source="links", directory=folder / "dev" / "serial"),
        slot=(SlotSection(name="1", path="pci-0000:00:14.0-usb-0:1.1"),),
    )


def of(findings: list[Finding], check: str) -> Finding:
    """The one finding of a check."""
    (found,) = [finding for finding in findings if finding.check == check]
    return found


def looked(root: Path, *, runs: bool = False, slots: int = 1) -> list[Finding]:
    return list(machine.findings(root / "state", "line-1", slots, runs=runs, root=root))


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([good("a", "b"), advice("a", "b", "c")], 0),
        ([good("a", "b"), unknown("a", "b")], 3),
        ([unknown("a", "b"), bad("a", "b", "c")], 1),
    ],
)
def test_the_worst_finding_is_the_exit_code(findings: list[Finding], code: int) -> None:
    """Advice stops no line; a check that could not be made is less than a fault that was found."""
    assert EXIT[worst(findings)] == code


@pytest.mark.parametrize(("rule", "state"), [(RULE, State.GOOD), ("# none\n", State.BAD), (None, State.UNKNOWN)])
def test_rules_for_probes_are_looked_for(tmp_path: Path, rule: str | None, state: State) -> None:
    """A machine without any rules, such as a container, proves nothing."""
    if rule is not None:
        (tmp_path / "etc/udev/rules.d").mkdir(parents=True)
        (tmp_path / "etc/udev/rules.d/60-station.rules").write_text(rule)
    assert of(looked(tmp_path), "udev rules").state is state


@pytest.mark.parametrize(("rule", "state"), [(RULE, State.BAD), (IGNORED, State.GOOD)])
def test_modem_manager_must_leave_probes_alone(tmp_path: Path, rule: str, state: State) -> None:
    """It would hold each new port for twenty seconds."""
    (tmp_path / "etc/udev/rules.d").mkdir(parents=True)
    (tmp_path / "etc/udev/rules.d/60-station.rules").write_text(rule)
    (tmp_path / "proc/77").mkdir(parents=True)
    (tmp_path / "proc/77/comm").write_text("ModemManager\n")
    assert of(looked(tmp_path), "ModemManager").state is state


@pytest.mark.parametrize("check", ["udev rules", "ModemManager"])
def test_the_shipped_rules_satisfy_the_doctor(tmp_path: Path, check: str) -> None:
    (tmp_path / "etc/udev/rules.d").mkdir(parents=True)
    shutil.copy(shipped.FOLDER / "config" / "deploy" / "70-matter-station.rules", tmp_path / "etc/udev/rules.d")
    (tmp_path / "proc/77").mkdir(parents=True)
    (tmp_path / "proc/77/comm").write_text("ModemManager\n")
    assert of(looked(tmp_path), check).state is State.GOOD


def test_too_few_descriptors_are_told(tmp_path: Path) -> None:
    """The remedy has the number that this line needs."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = of(looked(tmp_path, slots=limit), "descriptors")
    assert found.state is State.BAD
    assert f"LimitNOFILE={limit * 16 + 128}" in found.remedy


def test_a_running_line_is_not_disturbed(tmp_path: Path) -> None:
    """The disk's speed is not measured beside a daemon, and no file is left behind."""
    assert "Not measured" in of(looked(tmp_path, runs=True), "disk speed").text
    assert "durable write takes" in of(looked(tmp_path), "disk speed").text
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("synchronised", "sign", "state"),
    [
        (True, False, State.GOOD),
        (False, True, State.ADVICE),
        (None, True, State.GOOD),
        (None, False, State.ADVICE),
    ],
)
def test_the_kernels_word_counts_more_than_a_service(
    tmp_path: Path, state: State, *, synchronised: bool | None, sign: bool
) -> None:
    """A service that reaches no time server keeps no clock; without systemd its sign is all there is."""
    if sign:
        (tmp_path / "run" / "chrony").mkdir(parents=True)
        (tmp_path / "run" / "chrony" / "chronyd.pid").touch()
    found = machine.findings(None, "line-1", 1, runs=False, synchronised=synchronised, root=tmp_path)
    assert of(list(found), "clock").state is state


def test_who_holds_a_port_is_named(tmp_path: Path) -> None:
    """The port's holder is found among the descriptors of all processes; nothing is opened."""
    by_id, by_path = (tmp_path / "dev" / "serial" / name for name in ("by-id", "by-path"))
    for folder in (by_id, by_path):
        folder.mkdir(parents=True)
    (tmp_path / "dev" / "ttyACM0").touch()
    (by_id / "usb-STMicroelectronics_STLINK-V3_066DFF01-if02").symlink_to("../../ttyACM0")
    (by_path / "pci-0000:00:14.0-usb-0:1.1:1.2").symlink_to("../../ttyACM0")
    (tmp_path / "proc/5/fd").mkdir(parents=True)
    (tmp_path / "proc/5/comm").write_text("minicom\n")
    for descriptor in "012":  # as a terminal's program has it
        (tmp_path / "proc/5/fd" / descriptor).symlink_to((tmp_path / "dev" / "ttyACM0").resolve())
    found = list(usb.findings(configuration(tmp_path), runs=False, proc=tmp_path / "proc"))
    assert of(found, "ports").state is State.BAD
    assert of(found, "ports").text.count("minicom (process 5) holds") == 1
    running = list(usb.findings(configuration(tmp_path), runs=True, proc=tmp_path / "proc"))
    assert of(running, "ports").state is State.GOOD


def test_hubs_in_a_row_are_counted(tmp_path: Path) -> None:
    """USB allows five; devices behind more come and go."""
    devices = tmp_path / "sys" / "bus" / "usb" / "devices"
    (devices / "1-1" / "ep_00").mkdir(parents=True)
    found = of(list(usb.findings(configuration(tmp_path), runs=False)), "USB topology")
    assert (found.state, "bus 1 has 1 devices with 1 endpoints" in found.text) == (State.GOOD, True)
    (devices / "1-1.1.1.1.1.1.1").mkdir()
    assert of(list(usb.findings(configuration(tmp_path), runs=False)), "USB topology").state is State.BAD


def test_a_file_that_is_no_ledger_is_bad(tmp_path: Path) -> None:
    """A ledger that is not there yet is none."""
    config = configuration(tmp_path)
    assert [found.state for found in services.ledger(config)] == [State.GOOD]
    config.station.state.mkdir()
    config.ledger.write_bytes(b"not a database" * 1000)
    assert [found.state for found in services.ledger(config)] == [State.BAD]


def test_mistakes_in_files_are_findings_too(tmp_path: Path) -> None:
    """The doctor tells them in the words of `station config check`, and looks at the PC all the same."""
    file = tmp_path / "line.toml"
    file.write_text("[station]\nname = 7\n")
    result = station("doctor", "--config", file, "--json")
    said = json.loads(result.stdout)
    assert (result.exit_code, said["schema"], said["state"]) == (1, 1, "bad")
    texts = {each["text"] for each in said["findings"] if each["check"] == "configuration"}
    assert f"{file}: station.name: found 7, expected text in quotes" in texts
    assert {"descriptors", "clock", "disk space"} - {each["check"] for each in said["findings"]} == {"disk space"}
    assert all(each["remedy"] for each in said["findings"] if each["state"] in {"bad", "advice"})
