# SPDX-License-Identifier: Apache-2.0
"""Where a campaign happens: one line, or two stations with one centre, and their bench, PKI, printer and MES."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from unittest.mock import patch

from station.adapters.system.secret_files import SHARED_MEMORY
from station.daemon import control
from station.line.status import SlotStatus, Status
from tests.builders.line import Line, LineFailed, recipe_with
from tests.builders.two_lines import Factory, TwoLines, factory
from tests.builders.warm import Program
from tests.campaign.stepping import SteppedClock
from tests.line.lot_count import Tray
from tests.mes.receiver import SECRET, Receiver

ALONE = "demo-line"
READ_WITHIN = 120.0
PROVISIONER, IN_RAM = "provisioning-flash", 'plan = "ram"\n'


@dataclass
class ReadLine(Line):
    """A line whose daemons write into a pipe with a reader, as a service's do."""

    readers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    earlier: list[subprocess.Popen[bytes]] = field(default_factory=list)
    """Readers of daemons that were killed."""

    def output(self, name: str) -> IO[bytes]:
        if name in {"bench", "pki"}:
            return super().output(name)
        self.earlier += [before] if (before := self.readers.get(name)) else []
        with super().output(name) as file:
            reader = self.readers[name] = subprocess.Popen(
                ["cat"], stdin=subprocess.PIPE, stdout=file, start_new_session=True
            )
        assert reader.stdin is not None
        return reader.stdin

    def stop(self) -> None:
        super().stop()
        for reader in (*self.earlier, *self.readers.values()):
            reader.wait(READ_WITHIN)


class ReadLines(ReadLine, TwoLines):
    """Two of them."""


@dataclass(eq=False)
class At:
    """One station: its daemon among the line's processes, the folder of its ledger, and the ports of its slots."""

    name: str
    line: ReadLine
    process: str
    state: Path
    ports: range
    start: Callable[[], None]

    @property
    def daemon(self) -> Program:
        return self.line.processes[self.process]

    @property
    def ledger(self) -> Path:
        return self.state / "ledger.sqlite"

    @property
    def reader(self) -> "subprocess.Popen[bytes]":
        """What reads the daemon's log."""
        return self.line.readers[self.process]

    def asks(self, command: str, **arguments: object) -> Mapping[str, object]:
        """The daemon's answer. Raises `DaemonAbsent` or `CommandRefused`."""
        return control.ask(self.state / "station.sock", command, **arguments)

    def status(self) -> Status:
        """Raises `LineFailed` when the daemon is gone."""
        try:
            return Status.model_validate(self.asks("status"))
        except control.DaemonAbsent as exc:
            raise LineFailed(f"the daemon of {self.name} has stopped") from exc

    def slot(self, port: int) -> SlotStatus:
        return self.status().slots[port - self.ports.start]

    def stop(self) -> None:
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait()


@dataclass
class World:
    """Each station has one slot more than people, so that a board can be carried to another."""

    line: ReadLine
    stations: Sequence[At]
    printer: Path
    factory: Factory | None = None

    @property
    def folder(self) -> Path:
        """The bench's."""
        return self.line.folder

    @property
    def clock(self) -> SteppedClock:
        return SteppedClock(self.printer.parent)

    @property
    def tray(self) -> Tray:
        return Tray(self.printer)

    def at(self, port: int) -> At:
        return next(station for station in self.stations if port in station.ports)


Standing = Callable[[Path, Receiver], AbstractContextManager[World]]


def one_line(slots: int, *, mixed: bool = False) -> Standing:
    """One station with so many slots and a further one. `mixed`: each start of its daemon changes the recipe's plan."""

    @contextmanager
    def standing(folder: Path, receiver: Receiver) -> Iterator[World]:
        with (
            _printer(folder) as address,
            ReadLine.standing(
                folder / "line", slots + 1, recipe=_recipe(folder, address), further=_further(folder, receiver)
            ) as line,
        ):
            assert isinstance(line, ReadLine)
            ports = range(1, slots + 2)

            def start() -> None:
                if mixed:
                    change_plan(line.recipe)
                line.start_daemon()

            yield World(line, [At(ALONE, line, "daemon", line.folder, ports, start)], folder / "printer")

    return standing


def two_stations(slots: int) -> Standing:
    """Two stations with half of the slots each, and a further one each."""

    @contextmanager
    def standing(folder: Path, receiver: Receiver) -> Iterator[World]:
        own = slots // 2 + 1
        with (
            _printer(folder) as address,
            factory(
                folder / "line",
                own,
                kind=ReadLines,
                time_scale=0.0,
                recipe=_recipe(folder, address),
                further=_further(folder, receiver),
            ) as two,
        ):
            two.approve()
            line = two.line
            assert isinstance(line, ReadLines)
            stations = [
                At(each.name, line, each.name, each.state, range(each.port, each.port + own), each.start)
                for each in line.stations
            ]
            yield World(line, stations, folder / "printer", two)

    return standing


@contextmanager
def _printer(folder: Path) -> Iterator[str]:
    """A label printer, by its address."""
    tray = folder / "printer"
    tray.mkdir()
    (folder / "logs").mkdir()
    host = Line(folder, folder)
    host.start("printer", "virtual_bench", "printer", "--dir", str(tray))
    try:
        host.wait_for("printer", (tray / "port").exists)
        yield f"tcp://127.0.0.1:{(tray / 'port').read_text()}"
    finally:
        host.processes["printer"].send_signal(signal.SIGTERM)
        host.processes["printer"].wait()


def change_plan(recipe: Path) -> None:
    """From the plan `flash` to the plan `ram`, or back."""
    text = recipe.read_text(encoding="utf-8")
    if IN_RAM in text:
        text = text.replace(IN_RAM, "").replace(f'"{PROVISIONER}-ram"', f'"{PROVISIONER}"')
    else:
        text = text.replace("[product]", f"{IN_RAM}[product]").replace(f'"{PROVISIONER}"', f'"{PROVISIONER}-ram"')
    recipe.write_text(text, encoding="utf-8")


def _recipe(folder: Path, printer: str) -> Path:
    return recipe_with(folder, f'[label]\nsize_mm = [50, 25]\nprinter = "{printer}"\nrequired = true')


def _further(folder: Path, receiver: Receiver) -> str:
    secret = folder / "webhook.secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    return f'\n[samples]\nprobes = false\n[mes]\nwebhook = "{receiver.url}"\nsecret_file = "{secret}"\n'


@contextmanager
def on_a_machine_of_its_own(work: Path, deadlines: Mapping[str, str]) -> Iterator[Path]:
    """The machine's register, clock and shared memory are the campaign's for the block. Yields the folder in shared memory."""
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as runtime:
        clock = SteppedClock(work).built()
        told = {**deadlines, **clock, "XDG_STATE_HOME": f"{work}/machine", "XDG_RUNTIME_DIR": runtime}
        with patch.dict(os.environ, told):
            yield Path(runtime)
