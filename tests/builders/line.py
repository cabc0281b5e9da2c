# SPDX-License-Identifier: Apache-2.0
"""A line from outside: virtual bench, development PKI and daemon as processes that a test starts, asks and stops.

`station demo` has a harness of its own. The tests do not use it, since a mistake of the product could hide in the
product's own harness.
"""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from station.daemon import control
from station.line.status import Status
from tests.builders import warm
from tests.builders.log_words import checked

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "config" / "recipes" / "lighting.toml"
RECIPE_IN_RAM = RECIPE.with_name("lighting-ram.toml")
LOG = Path("logs", "station.jsonl")  # as config/demo.toml says
READY_WITHIN = 300.0
STOP_WITHIN = 120.0
LAST_WORDS = 40  # lines
DYING_WITHIN = 0.5  # the end of a process is known some moments after its sockets have gone
ANSWERED_WITHIN = 300.0


class LineFailed(Exception):
    """One of the line's processes did not start, or has ended."""


@dataclass
class Line:
    """A running line: its folder and its processes."""

    folder: Path
    recipe: Path
    processes: dict[str, warm.Program] = field(default_factory=dict)
    further: str = ""
    """Further tables of the configuration."""
    program: str = "station"
    """The module that runs as the daemon; a test may give one that begins by changing something."""

    @classmethod
    @contextmanager
    def standing(
        cls,
        folder: Path,
        boards: int,
        *,
        time_scale: float = 0.0,
        recipe: Path = RECIPE,
        faults: Path | None = None,
        seed: int = 1,
        bench_options: Sequence[str] = (),
        further: str = "",
        program: str = "station",
    ) -> Iterator["Line"]:
        """Starts bench, PKI and daemon, and stops them when the block ends; then checks the words of the daemon's log.

        Raises `LineFailed` or `WordsUnlisted`.
        """
        (folder / "logs").mkdir(parents=True)
        line = cls(folder.resolve(), recipe.resolve(), further=further, program=program)
        options = [f"--probes={boards}", f"--seed={seed}", f"--time-scale={time_scale}", *bench_options]
        options += [f"--faults={faults}"] * (faults is not None)
        try:
            line.start("bench", "virtual_bench", "serve", "--dir", str(line.folder), *options)
            line.wait_for("bench", (line.folder / "bench.json").exists)
            line.start_pki()
            line.start_daemon()
            yield line
        except BaseException as exc:
            line.tell_of_the_dead(exc)
            raise
        finally:
            line.stop()
        if (log := line.folder / LOG).exists():  # some tests give the daemon another one
            checked(log)

    def start_pki(self, port: int = 0, *others: str) -> None:
        """Starts the PKI; again at the same port if it has ended, perhaps with other options."""
        product = tomllib.loads(self.recipe.read_text()).get("product", {})
        options = [
            f"--{name.replace('_', '-')}={product[name]:#06X}"
            for name in ("vendor_id", "product_id", "dac_vendor_id", "dac_product_id")
            if name in product
        ]
        folder = self.folder / "pki"
        (folder / "ready.json").unlink(missing_ok=True)  # of a PKI that was killed
        self.start("pki", "development_pki", "serve", "--dir", str(folder), *options, f"--port={port}", *others)
        self.wait_for("pki", (folder / "ready.json").exists)

    def start_daemon(self) -> None:
        """Starts the daemon; again if it has ended."""
        probes = json.loads((self.folder / "bench.json").read_text())["probes"]
        url = json.loads((self.folder / "pki" / "ready.json").read_text())["url"]
        config = self.folder / "line.toml"
        config.write_text(configuration(self.recipe, probes) + self.further)
        self.start("daemon", self.program, "run", "--config", str(config), STATION__PKI__URL=url)
        self.wait_for("daemon", self._daemon_answers)

    def status(self) -> Status:
        """The daemon's status; raises `LineFailed` when the daemon is gone."""
        try:
            return Status.model_validate(control.ask(self.folder / "station.sock", "status"))
        except control.DaemonAbsent as exc:
            raise LineFailed(f"the daemon has stopped; {self._last_words('daemon')}") from exc

    def command(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs `station …` with the line's configuration."""
        return station_command(*arguments, "--config", self.folder / "line.toml")

    def start(self, name: str, module: str, *arguments: str, **environment: str) -> None:
        whole = {**os.environ, **environment}
        with self.output(name) as output:
            if warm.programs is not None and warm.programs.can_start(module, whole):
                self.processes[name] = warm.programs.start(module, arguments, output, whole)
                return
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-X", "faulthandler", "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=whole,
                cwd=ROOT,
                start_new_session=True,  # `stop` passes on a Ctrl-C in order
            )

    def output(self, name: str) -> IO[bytes]:
        """What takes what this process writes."""
        return (self.folder / "logs" / f"{name}.out").open("wb")

    def wait_for(self, name: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while not ready():
            if self.processes[name].poll() is not None or time.monotonic() > deadline:
                raise LineFailed(f"the {name} did not start; {self._last_words(name)}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stops the daemon first, so that it does not see its bench go away."""
        with ExitStack() as stack:  # each of them, whatever comes of the others
            for name in ("bench", "pki", "daemon"):
                if (process := self.processes.get(name)) is not None:
                    stack.callback(_stop, process)

    def _daemon_answers(self) -> bool:
        """Also when its page is there, so that what the log says of the page stands before all that a test does."""
        try:
            page = self.status().page
        except LineFailed:
            return False
        return page is None or page.url is not None

    def tell_of_the_dead(self, failure: BaseException) -> None:
        """Notes on a failure which processes have ended by then, how, and with which last words."""
        time.sleep(DYING_WITHIN)
        for name, process in self.processes.items():
            if (status := process.poll()) is not None:
                failure.add_note(f"the {name} had ended with {status}; {self._last_words(name)}")

    def _last_words(self, name: str) -> str:
        output = (self.folder / "logs" / f"{name}.out").read_text(errors="replace")
        return "its last words:\n" + "\n".join(output.splitlines()[-LAST_WORDS:])


def _stop(process: warm.Program) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def station_command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs `station …` as a process, on a terminal wide enough for every table."""
    return subprocess.run(
        [sys.executable, "-m", "station", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "300"},
        timeout=ANSWERED_WITHIN,
    )


def recipe_with(folder: Path, more: str, recipe: Path = RECIPE) -> Path:
    """A copy of a shipped recipe with further tables behind it."""
    text = recipe.read_text().replace('"../../', f'"{ROOT}/')
    text = text.replace('"certification-declaration.der"', f'"{RECIPE.parent}/certification-declaration.der"')
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.toml"
    path.write_text(f"{text}\n{more}\n", encoding="utf-8")
    return path


def configuration(recipe: Path, probes: list[Mapping[str, object]]) -> str:
    """`config/demo.toml`, with this recipe and one slot for each probe."""
    text = (ROOT / "config" / "demo.toml").read_text()
    slots = "".join(
        f"\n[[slot]]\nname = {json.dumps(str(probe['port']))}\npath = {json.dumps(probe['path'])}\n" for probe in probes
    )
    return f"recipe = {json.dumps(str(recipe))}\n\n{text}{slots}"
