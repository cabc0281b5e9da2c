# SPDX-License-Identifier: Apache-2.0
"""A line whose boards stand on the virtual bench, and whose USB host is pretended: the daemon learns of them from udev."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from typer.testing import CliRunner

import virtual_bench.cli
from tests.builders.line import Line, configuration
from tests.hotplug.mocked import Command, MockedHost
from tests.hotplug.umockdev import PRELOAD

BENCHS = 'source = "links"\ndirectory = "dev/serial"'
OURS = 'source = "udev"\nudev = "udev"'


class UdevLine(Line):
    """`host` is set before the daemon starts."""

    host: MockedHost

    @classmethod
    @contextmanager
    def with_host(cls, folder: Path, boards: int, *, time_scale: float = 0.0) -> Iterator["UdevLine"]:
        """Bench, PKI and daemon, and no board plugged in as far as the daemon knows."""
        with MockedHost.started("none") as host, cls.standing(folder, boards, time_scale=time_scale) as line:
            assert isinstance(line, cls)
            line.host = host
            line.start_on_udev()
            yield line

    def start_daemon(self) -> None:
        """Waits for the host."""

    def start_on_udev(self) -> None:
        (self.folder / "udev").mkdir()
        (self.folder / "udev" / "control").touch()
        probes = json.loads((self.folder / "bench.json").read_text())["probes"]
        text = configuration(self.recipe, probes)
        assert BENCHS in text
        config = self.folder / "line.toml"
        config.write_text(
            text.replace(BENCHS, OURS).replace('witness = "witness"', 'witness = "../witness"\nlocks = "locks"')
        )
        environment = {
            "STATION__PKI__URL": json.loads((self.folder / "pki" / "ready.json").read_text())["url"],
            "UMOCKDEV_DIR": self.host.root,
            "LD_PRELOAD": PRELOAD,
        }
        self.start("daemon", "station", "run", "--config", str(config), **environment)
        self.wait_for("daemon", self._daemon_answers)

    def prepare(self, *numbers: int) -> None:
        """The boards are plugged into the bench; the daemon does not know yet."""
        for number in numbers:
            self._bench("plug", number)

    def plug(self, *numbers: int) -> None:
        """The boards show at the host, one after the other."""
        self.prepare(*numbers)
        self.host.does(*self._shown(numbers))

    def burst(self, numbers: Sequence[int], seconds: float) -> dict[int, float]:
        """Prepared boards show at the host within so many seconds. Returns when each did, by the host's clock."""
        commands: list[Command] = []
        for place, command in enumerate(self._shown(numbers)):
            commands += [("until", place * seconds / len(numbers)), ("now",), command]
        self.host.does(*commands)
        return {
            number: float(told["now"] or 0) for number, told in zip(numbers, self.host.tells(len(numbers)), strict=True)
        }

    def _shown(self, numbers: Sequence[int]) -> list[Command]:
        plugged, commands = self._plugged(), list[Command]()
        for number in numbers:
            serial_number, tty = plugged[number]
            commands.append(("show", number, serial_number, tty, str(self.folder / "dev" / f"ttyACM{tty}")))
        return commands

    def unplug(self, number: int) -> None:
        self.host.does(("unplug", number))
        self._bench("unplug", number)

    def _bench(self, command: str, number: int) -> None:
        done = CliRunner().invoke(virtual_bench.cli.app, [command, str(number), "--dir", str(self.folder)])
        assert done.exit_code == 0, done.output

    def _plugged(self) -> dict[int, tuple[str, int]]:
        """Probe and number of the tty at each port, as the bench's links tell."""
        serial = self.folder / "dev" / "serial"
        names = {link.readlink().name: link.name for link in (serial / "by-id").iterdir()}
        found = {}
        for link in (serial / "by-path").iterdir():
            tty = link.readlink().name
            port = int(link.name.rpartition(":")[0].rpartition(".")[2])
            found[port] = (names[tty].removesuffix("-if02").rpartition("_")[2], int(tty.removeprefix("ttyACM")))
        return found
