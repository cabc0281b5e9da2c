# SPDX-License-Identifier: Apache-2.0
"""What the devices behind a hub may draw is compared with what a hub without a supply of its own can give."""

from pathlib import Path

import pytest

from station.doctor.finding import State
from station.doctor.usb_power import findings


def device(devices: Path, name: str, milliamperes: int, kind: str = "00", attributes: str = "80") -> None:
    folder = devices / name
    folder.mkdir(parents=True)
    (folder / "bDeviceClass").write_text(f"{kind}\n")
    (folder / "bmAttributes").write_text(f"{attributes}\n")
    (folder / "bMaxPower").write_text(f"{milliamperes}mA\n")


@pytest.mark.parametrize(
    ("attributes", "drawn", "state", "words"),
    [
        ("e0", 300, State.GOOD, "hub 1-1 has a supply of its own, and its 2 devices may draw 600 mA"),
        ("80", 300, State.ADVICE, "hub 1-1 has no supply of its own, and its 2 devices may draw 600 mA"),
        ("80", 100, State.GOOD, "may draw 200 mA"),
        ("", 300, State.GOOD, "hub 1-1 has an unknown supply"),
    ],
    ids=["a hub with a supply", "a hub on the bus", "few milliamperes", "a hub that does not say it"],
)
def test_a_hub_without_a_supply_gives_little(
    tmp_path: Path, attributes: str, drawn: int, state: State, words: str
) -> None:
    """Devices of another hub, and interfaces, do not count."""
    device(tmp_path, "1-1", 100, "09", attributes)
    device(tmp_path, "1-1.1", drawn)
    device(tmp_path, "1-1.2", drawn)
    device(tmp_path, "1-10", 500)
    device(tmp_path, "2-1", 500)
    (tmp_path / "1-1.1:1.0").mkdir()
    (found,) = findings(tmp_path)
    assert found.state is state
    assert words in found.text


def test_a_hub_behind_a_hub_is_counted_for_itself(tmp_path: Path) -> None:
    device(tmp_path, "1-1", 0, "09", "e0")
    device(tmp_path, "1-1.4", 100, "09", "80")
    device(tmp_path, "1-1.4.1", 500)
    (found,) = findings(tmp_path)
    assert found.state is State.ADVICE
    assert "hub 1-1 has a supply of its own, and its 1 devices may draw 100 mA; hub 1-1.4" in found.text
    assert found.remedy.startswith("Give hub 1-1.4 ")


def test_a_machine_without_hubs_is_unknown(tmp_path: Path) -> None:
    assert [found.state for found in findings(tmp_path)] == [State.UNKNOWN]
    assert [found.state for found in findings(tmp_path / "none")] == [State.UNKNOWN]
