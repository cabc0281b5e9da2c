# SPDX-License-Identifier: Apache-2.0
"""`station slots learn` with the source that it has on a PC: places are told by udev."""

from pathlib import Path

import pytest

from tests.builders.lesson import ASKED, lesson
from tests.hotplug.mocked import MockedHost
from tests.hotplug.umockdev import PRELOAD, port

pytestmark = pytest.mark.slow


def test_places_that_udev_tells_of_become_slots(tmp_path: Path) -> None:
    """Also one whose board was there before and is plugged in again, and one whose serial port comes late."""
    file = tmp_path / "line.toml"
    file.write_text(
        f'[hotplug]\nudev = "udev"\n\n[[slot]]\nname = "left"\npath = "{port(3).replace("-usb-", "-usbv2-")}"\n'
    )
    before = file.read_text()
    (tmp_path / "udev").mkdir()
    (tmp_path / "udev" / "control").touch()
    with (
        MockedHost.started("none", ("plug", 1, "066A01")) as host,
        lesson(file, "--count", "4", LD_PRELOAD=PRELOAD, UMOCKDEV_DIR=host.root) as told,
    ):
        told.says(
            f"{file} has 1 slot",
            f"plugged in already, and not counted: {port(1)}, no slot",
            "To count one of these places, unplug its board and plug it in again.",
            ASKED.format(1),
        )
        host.does(("plug", 4, "066A04"))
        told.says(f"learned {port(4)} as slot 1", ASKED.format(2))
        host.does(("plug", 3, "066A03"))
        told.says(f"{port(3)} is slot left already", ASKED.format(2))
        host.does(("device", 2, "066A02"))
        host.does(("serial_port", 2, "066A02", 2))
        told.says(f"learned {port(2)} as slot 2", ASKED.format(3))
        host.does(("unplug", 1))
        host.does(("plug", 1, "066A01"))
        assert told.ends() == (0, [f"learned {port(1)} as slot 3", f"{file} has 4 slots"])
    slots = "".join(f'\n[[slot]]\nname = "{name}"\npath = "{port(at)}"\n' for name, at in ((1, 4), (2, 2), (3, 1)))
    assert file.read_text() == before + slots


def test_where_no_udev_runs_the_remedy_is_told(tmp_path: Path) -> None:
    """Before anybody plugs in a board that would never show."""
    (tmp_path / "line.toml").write_text('[hotplug]\nudev = "udev"\n')
    with lesson(tmp_path / "line.toml") as told:
        code, (sentence,) = told.ends()
    assert code == 2
    assert "udev does not run on this machine" in sentence
