# SPDX-License-Identifier: Apache-2.0
"""Boards come and go at a USB host that umockdev pretends to be, and udev or the list of serial ports tells of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hotplug.mocked import ROOT, MockedHost, Told
from tests.hotplug.umockdev import PRELOAD, port

pytestmark = [pytest.mark.line, pytest.mark.timeout(300)]

HERE = Path(__file__).parent
FTDI = "0403"


def arrived(number: int, probe: str, refused: str | None = None, tty: int | None = None) -> Told:
    node = f"/dev/ttyACM{number if tty is None else tty}"
    return {"arrived": port(number), "probe": probe, "tty": node, "refused": refused}


def left(number: int) -> Told:
    return {"left": port(number)}


@pytest.mark.parametrize("source", ["udev", "poll"])
def test_boards_come_and_go(source: str) -> None:
    """Those that are there at the start arrive first."""
    node = ("leads_to", 1, "/dev/null")
    with MockedHost.started(source, ("plug", 1, "066A"), node) as host:
        assert host.tells(1) == [arrived(1, "066A")]
        host.does(("plug", 2, "066B", 7), ("leads_to", 2, "/dev/null"))
        assert host.tells(1) == [arrived(2, "066B", tty=7)]
        host.does(("unplug", 1))
        assert host.tells(1) == [left(1)]
        host.does(("plug", 1, "066C"), node)
        assert host.tells(1) == [arrived(1, "066C")]


def test_the_source_closes_what_it_has_opened() -> None:
    """The socket has an owner, and it ends with the block."""
    with MockedHost.started("udev", ("plug", 1, "066A")) as host:
        host.tells(1)
        assert host.ends() == {"left_open": "[]"}


@pytest.mark.parametrize("source", ["udev", "poll"])
def test_a_serial_number_that_comes_twice_refuses_both(source: str) -> None:
    """The first board was told as good; it is refused when the second comes, and good again when that has gone."""
    nodes = [("leads_to", number, "/dev/null") for number in (1, 2)]
    with MockedHost.started(source, ("plug", 1, "066A"), nodes[0]) as host:
        assert host.tells(1) == [arrived(1, "066A")]
        host.does(("plug", 2, "066a"), nodes[1])
        refused = [arrived(1, "066A", "probe.duplicate"), arrived(2, "066a", "probe.duplicate")]
        told = host.tells(3)
        assert told[0] == left(1)
        assert all(board in told for board in refused)
        host.does(("unplug", 2))
        told = host.tells(3)
        assert told[-1] == arrived(1, "066A")
        assert left(2) in told


def test_a_probe_without_a_serial_port_refuses_the_other_of_its_serial_number() -> None:
    """An ST-LINK/V2 has none; the programmer may take it for the one that it was asked for."""
    with MockedHost.started("udev", ("plug", 1, "066A")) as host:
        assert host.tells(1) == [arrived(1, "066A")]
        host.does(("device", 2, "066A"))
        assert host.tells(2) == [left(1), arrived(1, "066A", "probe.duplicate")]
        host.does(("unplug", 2))
        assert host.tells(2) == [left(1), arrived(1, "066A")]


def test_a_serial_adapter_and_a_probe_without_serial_number_are_refused() -> None:
    """Each is told, since an engineer looks for it on the screen; a nameless ST-LINK may be anybody's double."""
    with MockedHost.started("udev", ("plug", 1, "A50285BI", 1, FTDI)) as host:
        assert host.tells(1) == [arrived(1, "", "probe.unidentified")]
        host.does(("plug", 2, "066A"))
        assert host.tells(1) == [arrived(2, "066A")]
        host.does(("plug", 3, ""))
        told = host.tells(3)
        assert told[0] == left(2)
        assert arrived(2, "066A", "probe.duplicate") in told
        assert arrived(3, "", "probe.duplicate") in told


def test_a_bounce_is_a_new_arrival() -> None:
    """Out and in again before anybody has looked: the same probe, port and names."""
    with MockedHost.started("udev", ("plug", 1, "066A")) as host:
        assert host.tells(1) == [arrived(1, "066A")]
        for _ in range(10):
            host.does(("unplug", 1), ("plug", 1, "066A"))
            assert host.tells(2) == [left(1), arrived(1, "066A")]


def test_an_exchange_between_two_events() -> None:
    """When the events of the first board are read, the second has its place, its tty and its folder in sysfs."""
    with MockedHost.started("udev", ("plug", 1, "066A")) as host:
        assert host.tells(1) == [arrived(1, "066A")]
        host.does(("unplug", 1), ("plug", 1, "066B"))
        assert host.tells(2) == [left(1), arrived(1, "066B")]
        host.does(("unplug", 1), ("device", 1, "066C"), ("turn",), ("serial_port", 1, "066C", 1))
        assert host.tells(2) == [left(1), arrived(1, "066C")]
        host.does(("unplug", 1), ("plug", 1, "066D"), ("unplug", 1))
        assert host.tells(1) == [left(1)]
        host.does(("plug", 1, "066E"))
        assert host.tells(1) == [arrived(1, "066E")]


def test_a_serial_port_may_come_before_its_device() -> None:
    """The board is told when both are there, once."""
    with MockedHost.started("udev", ("plug", 1, "066A")) as host:
        assert host.tells(1) == [arrived(1, "066A")]
        host.does(("say_again", 1, "port", "remove"), ("say_again", 1, "device", "remove"))
        assert host.tells(1) == [left(1)]
        host.does(("say_again", 1, "port", "add"), ("turn",), ("plug", 2, "066B"))
        assert host.tells(1) == [arrived(2, "066B")]
        host.does(("say_again", 1, "device", "add"))
        assert host.tells(1) == [arrived(1, "066A")]


def test_what_udev_says_again_of_a_board_that_stays_is_no_news() -> None:
    """`udevadm trigger` sends all events again, and ModemManager's rules change properties."""
    with MockedHost.started("udev", ("plug", 1, "066A")) as host:
        assert host.tells(1) == [arrived(1, "066A")]
        host.does(*[("say_again", 1, what, action) for what in ("device", "port") for action in ("add", "change")])
        host.does(("plug", 2, "066B"))
        assert host.tells(1) == [arrived(2, "066B")]


def test_a_lost_serial_port_is_a_lost_board() -> None:
    """The driver was taken off the device, which stays."""
    with MockedHost.started("udev", ("plug", 1, "066A")) as host:
        assert host.tells(1) == [arrived(1, "066A")]
        host.does(("say_again", 1, "port", "remove"))
        assert host.tells(1) == [left(1)]


def test_a_hub_of_64_arrives_whole_and_in_order() -> None:
    """The order is that of their coming, and not of their ports or names."""
    order = [number * 37 % 65 for number in range(1, 65)]
    plugging = [command for n in order for command in (("plug", n, f"066{n:03}", 99 - n), ("turn",))]
    with MockedHost.started("udev", ("plug", 70, "066A", 7)) as host:
        host.tells(1)  # from now on it reads events, of which umockdev keeps ten
        host.does(*plugging)
        assert host.tells(64) == [arrived(n, f"066{n:03}", tty=99 - n) for n in order]
        host.does(*[command for n in order for command in (("unplug", n), ("turn",))])
        assert host.tells(64) == [left(n) for n in order]


def test_a_hub_that_is_there_at_the_start_is_told_in_order_of_its_coming() -> None:
    """udev remembers when it saw each."""
    order = [5, 3, 9, 1]
    with MockedHost.started("udev", *[("plug", n, f"066{n:03}") for n in order]) as host:
        assert host.tells(4) == [arrived(n, f"066{n:03}") for n in order]


def test_a_serial_port_without_access_is_a_board() -> None:
    """The source opens no port; whoever does is told why it cannot be opened."""
    with MockedHost.started("udev", ("plug", 1, "066A")) as host:
        assert host.tells(1) == [arrived(1, "066A")]
        host.does(("forbid", 1))
        host.does(("open_as_nobody", 1))
        (refusal,) = host.tells(1)
        assert "Permission denied" in str(refusal["refusal"])


def test_the_source_hears_on_after_an_overflow() -> None:
    """Real netlink: the loop must be woken, the database read, and the source must not be deaf from then on."""
    command = [
        str(HERE / "private_udev.sh"),
        sys.executable,
        "-X",
        "dev",
        "-W",
        "error",
        "-m",
        "tests.hotplug.overflow",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 0, done.stderr
    assert "hotplug.overflowed" in done.stdout


def test_the_list_of_ports_asks_the_source_of_the_configuration(tmp_path: Path) -> None:
    """It names places as slots do, and a port that cannot be opened."""
    config = tmp_path / "line.toml"
    text = (ROOT / "config" / "line.toml").read_text()
    config.write_text(f'{text}[[slot]]\nname = "1"\npath = "{port(7)}"\n')
    (tmp_path / "control").touch()
    with MockedHost.started("none", ("plug", 7, "066A"), ("forbid", 7)) as host:
        environment = {
            **os.environ,
            "LD_PRELOAD": PRELOAD,
            "UMOCKDEV_DIR": host.root,
            "STATION__HOTPLUG__UDEV": str(tmp_path),
        }
        command = [sys.executable, "-m", "station", "ports", "--config", str(config), "--json"]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=250
        )
    (found,) = json.loads(done.stdout)["ports"]
    assert (found["path"], found["slot"], found["probe"], found["tty"]) == (port(7), "1", "066A", "/dev/ttyACM7")
    assert (found["opens"] == "yes") == (done.returncode == 0)
