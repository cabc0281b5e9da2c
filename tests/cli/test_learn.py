# SPDX-License-Identifier: Apache-2.0
"""`station slots learn` as a process: a person plugs boards into places, and the file gets a slot for each."""

import os
import pty
import signal
from pathlib import Path

import pytest

from station.config import line
from station.config.problems import ConfigurationInvalid
from station.faults.slot import ProbeDuplicate, ProbeUnidentified
from tests.builders.lesson import ASKED, lesson
from tests.builders.line import station_command
from tests.builders.station_demo import ROOT
from tests.cli.hostile import daemon, status

pytestmark = pytest.mark.slow

PLACE = "pci-0000:00:14.0-usb-0:2.{}"


class Hub:
    """A folder of links in which boards show."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("by-id", "by-path"):
            (folder / name).mkdir(parents=True)

    def plug(self, port: int, probe: str | None = None) -> None:
        tty = f"../../ttyACM{port}"
        self._by_id(probe or f"0{port}AB").symlink_to(tty)
        (self.folder / "by-path" / f"{PLACE.format(port)}:1.2").symlink_to(tty)

    def unplug(self, port: int, probe: str | None = None) -> None:
        (self.folder / "by-path" / f"{PLACE.format(port)}:1.2").unlink()
        self._by_id(probe or f"0{port}AB").unlink()

    def plug_adapter(self, port: int) -> None:
        """A serial adapter, which is no probe."""
        (self.folder / "by-id" / f"usb-FTDI_FT232R_{port}-if00-port0").symlink_to(f"../../ttyUSB{port}")
        (self.folder / "by-path" / f"{PLACE.format(port)}:1.0-port0").symlink_to(f"../../ttyUSB{port}")

    def _by_id(self, probe: str) -> Path:
        return self.folder / "by-id" / f"usb-STMicroelectronics_STM32_STLink_{probe}-if02"


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(tmp_path / "dev" / "serial")


@pytest.fixture
def file(tmp_path: Path, hub: Hub) -> Path:
    """A copy of the shipped configuration, with nothing filled in but where boards show."""
    text = (ROOT / "config" / "line.toml").read_text()
    assert 'source = "udev"' in text
    path = tmp_path / "line.toml"
    path.write_text(
        text.replace('source = "udev"', f'source = "links"\ndirectory = "{hub.folder}"').replace(
            "/var/lib/station", "state"
        )
    )
    return path


def written(file: Path) -> dict[str, str]:
    return {slot.name: slot.path for slot in line.load(file, {}).slot}


def test_each_place_becomes_a_slot_at_once(file: Path, hub: Hub) -> None:
    """The checker takes the file after every step; all that it had before is still there."""
    before = file.read_text()
    with pytest.raises(ConfigurationInvalid):
        line.load(file, {})
    with lesson(file, "--count", "3") as told:
        told.says(f"{file} has no slot", ASKED.format(1))
        for slot, port in ((1, 4), (2, 1)):
            hub.plug(port)
            told.says(f"learned {PLACE.format(port)} as slot {slot}", ASKED.format(slot + 1))
            assert written(file)[str(slot)] == PLACE.format(port)
        hub.plug(2)
        code, last = told.ends()
    assert (code, last) == (0, [f"learned {PLACE.format(2)} as slot 3", f"{file} has 3 slots"])
    assert written(file) == {"1": PLACE.format(4), "2": PLACE.format(1), "3": PLACE.format(2)}
    assert file.read_text().startswith(before)


def test_one_board_may_be_carried_from_place_to_place(file: Path, hub: Hub) -> None:
    with lesson(file, "--count", "2") as told:
        told.says(f"{file} has no slot", ASKED.format(1))
        hub.plug(1, "AB")
        told.says(f"learned {PLACE.format(1)} as slot 1", ASKED.format(2))
        hub.unplug(1, "AB")
        hub.plug(2, "AB")
        assert told.ends()[0] == 0
    assert written(file) == {"1": PLACE.format(1), "2": PLACE.format(2)}


def test_what_is_plugged_in_at_the_start_does_not_count(file: Path, hub: Hub) -> None:
    """Nobody knows in which order those places are; a board that is plugged in again counts."""
    hub.plug(1)
    hub.plug(2)
    file.write_text(
        f'{file.read_text()}\n[[slot]]\nname = "left"\npath = "{PLACE.format(2).replace("-usb-", "-usbv2-")}"\n'
    )
    with lesson(file, "--count", "2") as told:
        told.says(
            f"{file} has 1 slot",
            f"plugged in already, and not counted: {PLACE.format(1)}, no slot",
            f"plugged in already, and not counted: {PLACE.format(2)}, slot left",
            "To count one of these places, unplug its board and plug it in again.",
            ASKED.format(1),
        )
        hub.plug(3)
        told.says(f"learned {PLACE.format(3)} as slot 1", ASKED.format(2))
        hub.unplug(1)
        hub.plug(1)
        assert told.ends() == (0, [f"learned {PLACE.format(1)} as slot 2", f"{file} has 3 slots"])
    assert written(file) == {"left": PLACE.format(2), "1": PLACE.format(3), "2": PLACE.format(1)}


def test_a_place_that_is_a_slot_already_is_told_and_not_doubled(file: Path, hub: Hub) -> None:
    """A place counts once, under either of its names, and keeps its slot's name and settings."""
    slot = f'\n[[slot]]\nname = "left" # ours\npath = "{PLACE.format(2).replace("-usb-", "-usbv2-")}"\n'
    file.write_text(file.read_text() + slot)
    before = file.read_text()
    with lesson(file, "--count", "2") as told:
        told.says(f"{file} has 1 slot", ASKED.format(1))
        for _ in range(2):
            hub.plug(2)
            told.says(f"{PLACE.format(2)} is slot left already", ASKED.format(1))
            hub.unplug(2)
        assert file.read_text() == before
        hub.plug(1)
        assert told.ends()[0] == 0
    assert file.read_text().startswith(before)


def test_boards_that_the_line_would_refuse_are_not_learned(file: Path, hub: Hub) -> None:
    """A serial adapter is no probe, and of two probes with one serial number nobody knows which is which."""
    with lesson(file) as told:
        told.says(f"{file} has no slot", ASKED.format(1))
        hub.plug_adapter(3)
        tty = hub.folder.parent / "ttyUSB3"
        told.says(f"not learned: {PLACE.format(3)}. {ProbeUnidentified(str(tty))}", ASKED.format(1))
        told.process.send_signal(signal.SIGINT)
        assert told.ends() == (0, [f"{file} has no slot"])


def test_a_board_that_is_only_judged_anew_is_not_learned(file: Path, hub: Hub) -> None:
    """A twin makes both be refused, and is pulled again: the one that was there before was not plugged in by that."""
    hub.plug(1, "AB")
    with lesson(file, "--count", "1") as told:
        told.says(f"{file} has no slot", f"plugged in already, and not counted: {PLACE.format(1)}, no slot")
        told.says("To count one of these places, unplug its board and plug it in again.", ASKED.format(1))
        (hub.folder / "by-id" / "usb-STMicroelectronics_STM32_STLink_ab-if02").symlink_to("../../ttyACM2")
        (hub.folder / "by-path" / f"{PLACE.format(2)}:1.2").symlink_to("../../ttyACM2")
        told.says(f"not learned: {PLACE.format(2)}. {ProbeDuplicate('ab')}", ASKED.format(1))
        hub.unplug(2, "ab")
        hub.plug(3)
        assert told.ends() == (0, [f"learned {PLACE.format(3)} as slot 1", f"{file} has 1 slot"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_learned_before_the_end_stays(file: Path, hub: Hub, number: signal.Signals) -> None:
    """Ctrl-C is the usual end; where a number of places was asked for, the exit code tells that some are missing."""
    with lesson(file, "--count", "2") as told:
        told.says(f"{file} has no slot", ASKED.format(1))
        hub.plug(1)
        told.says(f"learned {PLACE.format(1)} as slot 1", ASKED.format(2))
        told.process.send_signal(number)
        assert told.ends() == (1, [f"{file} has 1 slot", "ended after 1 of 2 places"])
    assert written(file) == {"1": PLACE.format(1)}


def test_enter_ends_on_a_terminal(file: Path, hub: Hub) -> None:
    """The key is read, so the shell does not get it."""
    ours, theirs = pty.openpty()
    try:
        with lesson(file, stdin=theirs) as told:
            told.says(f"{file} has no slot", ASKED.format(1))
            hub.plug(1)
            told.says(f"learned {PLACE.format(1)} as slot 1", ASKED.format(2))
            os.write(ours, b"\n")
            assert told.ends() == (0, [f"{file} has 1 slot"])
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_dry_run_prints_the_tables_and_writes_nothing(file: Path, hub: Hub) -> None:
    before, inode = file.read_bytes(), file.stat().st_ino
    with lesson(file, "--dry-run", "--count", "1") as told:
        told.says(f"{file} has no slot", ASKED.format(1))
        hub.plug(1)
        code, last = told.ends()
    assert code == 0
    assert last[1:] == [
        f"{file} stays as it is; it would have 1 slot:",
        "",
        "[[slot]]",
        'name = "1"',
        f'path = "{PLACE.format(1)}"',
    ]
    assert (file.read_bytes(), file.stat().st_ino) == (before, inode)


def test_what_somebody_else_writes_meanwhile_stays(file: Path, hub: Hub) -> None:
    """A byte order mark stays, too."""
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    with lesson(file, "--count", "1") as told:
        told.says(f"{file} has no slot", ASKED.format(1))
        edited = file.read_bytes() + b'\n[[slot]]\nname = "1"\npath = "elsewhere"\n'
        file.write_bytes(edited)
        hub.plug(1)
        assert told.ends()[0] == 0
    assert file.read_bytes().startswith(edited)
    assert written(file) == {"1": "elsewhere", "2": PLACE.format(1)}


def test_beside_the_lines_daemon_it_is_refused(file: Path) -> None:
    """The daemon would begin to flash the board that is plugged in."""
    (file.parent / "state").mkdir()
    with daemon(file.parent / "state" / "station.sock", status("x")), lesson(file) as told:
        code, (sentence,) = told.ends()
    assert code == 1
    assert "End it with `station drain`" in sentence


def test_the_source_may_be_another_than_the_configurations(file: Path, tmp_path: Path) -> None:
    """It is checked as the configuration's would be: here no udev runs."""
    file.write_text(
        file.read_text().replace('source = "links"', 'source = "poll"').replace("directory =", "# directory =")
    )
    with lesson(file, "--source", "links") as told:
        told.says(f"{file} has no slot")
        told.process.send_signal(signal.SIGINT)
    with lesson(file, "--source", "moon") as told:
        assert told.ends()[0] == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[hotplug", "is not TOML"),
        ('[hotplug]\nsource = "link"\n', 'hotplug.source: found "link"'),
        ("[hotplug]\nsource = 'links'\n[slot]\nname = '1'\n", "slot: found something else"),
    ],
)
def test_a_file_in_which_no_slot_can_be_written_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """Before anybody has plugged in a board."""
    (tmp_path / "line.toml").write_text(text)
    with lesson(tmp_path / "line.toml") as told:
        code, last = told.ends()
    assert code == 2
    assert words in last[0]


def test_a_file_with_nothing_but_its_source_is_enough(tmp_path: Path, hub: Hub) -> None:
    path = tmp_path / "few.toml"
    path.write_text(f'[hotplug]\nsource = "links"\ndirectory = "{hub.folder}"')
    with lesson(path, "--count", "1") as told:
        told.says(f"{path} has no slot", ASKED.format(1))
        hub.plug(1)
        assert told.ends()[0] == 0
    assert path.read_text().endswith(f'\n\n[[slot]]\nname = "1"\npath = "{PLACE.format(1)}"\n')


def test_ports_need_no_whole_configuration(file: Path, hub: Hub) -> None:
    """Whoever fills one in looks here for the names of places."""
    hub.plug(1)
    assert PLACE.format(1) in station_command("ports", "--config", file).stdout
