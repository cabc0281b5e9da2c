# SPDX-License-Identifier: Apache-2.0
"""The processes of a demonstration: virtual bench, development PKI and daemon, started, reached and stopped as a user would."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from station.config import shipped
from station.daemon import control
from station.line.status import PageStatus, Status

PORT = 8470  # of the page, as on a line
ANY_PORT = "127.0.0.1:0"
LOOK_EVERY = 0.02
READY_WITHIN = 30.0
STOP_WITHIN = 30.0


class DemoFailed(Exception):
    """One of the demonstration's processes failed."""


class FolderTaken(DemoFailed):
    """The demonstration's folder holds something else."""


@dataclass
class DemoLine:
    """A running demonstration line: its folder and its processes."""

    folder: Path
    recipe: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    page: str = ""
    """The address of the operator's page."""

    @classmethod
    @contextmanager
    def standing(
        cls,
        folder: Path,
        boards: int,
        seed: int,
        faults: Path | None,
        time_scale: float,
        recipe: Path | None,
        bench_options: Sequence[str] = (),
        *,
        say: Callable[[str], None],
    ) -> Iterator["DemoLine"]:
        """Bench, PKI and daemon, all ready; all stopped when the block ends. Says before each start. Raises `DemoFailed`."""
        folder = folder.resolve()
        if folder.exists() and any(folder.iterdir()):
            raise FolderTaken(f"{folder} is not empty: give a new folder, or remove it first")
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        line = cls(folder, (recipe or shipped.RECIPE_OF_DEMONSTRATION).resolve())
        try:
            say(f"[1/4] Starting the virtual bench: programmer, hub and {boards} boards")
            line._start_bench(boards, seed, faults, time_scale, bench_options)
            say("[2/4] Starting the development PKI: it makes PAA, PAI and the keys for TLS")
            line.start_pki()
            say("[3/4] Starting the daemon: it checks recipe, images, programmer, PKI and ledger")
            line.open_page(say)
            say(f"[4/4] Plugging in {boards} boards")
            yield line
        finally:
            line._stop()

    def plug_all(self) -> None:
        self._bench("plug", "--all")

    def plug_in_turn(self, every: float) -> None:
        """Has the bench plug in one board every `every` seconds, and returns at once."""
        self._start("operator", "virtual_bench", "plug", "--all", f"--every={every}", "--dir", str(self.folder))

    def status(self) -> Status:
        """The daemon's status; raises `DemoFailed` when it is gone."""
        try:
            return Status.model_validate(control.ask(self.folder / "station.sock", "status"))
        except control.DaemonAbsent as exc:
            raise DemoFailed(f"the daemon has stopped; {self._last_words('daemon')}") from exc

    def trouble(self) -> DemoFailed | None:
        """The end of one of the processes that ought to run."""
        for name in ("daemon", "pki", "bench"):
            process = self.processes.get(name)
            if process is not None and process.poll() is not None:
                return DemoFailed(f"the {name} has stopped; {self._last_words(name)}")
        return None

    def _start_bench(
        self, boards: int, seed: int, faults: Path | None, time_scale: float, others: Sequence[str]
    ) -> None:
        options = ["--probes", str(boards), "--seed", str(seed), "--time-scale", str(time_scale), *others]
        if faults is not None:
            options += ["--faults", str(faults)]
        self._start("bench", "virtual_bench", "serve", "--dir", str(self.folder), *options)
        self._wait_for("bench", (self.folder / "bench.json").exists)

    def start_pki(self, port: int = 0, *others: str) -> None:
        """Starts the PKI; also again after its end, at the same port, or with other options."""
        product = tomllib.loads(self.recipe.read_text(encoding="utf-8")).get("product", {})
        options = [
            f"--{key.replace('_', '-')}={product[key]:#06X}"
            for key in ("vendor_id", "product_id", "dac_vendor_id", "dac_product_id")
            if key in product
        ]
        options += [f"--port={port}", *others]
        self._start("pki", "development_pki", "serve", "--dir", str(self.folder / "pki"), *options)
        self._wait_for("pki", (self.folder / "pki" / "ready.json").exists)

    def open_page(self, say: Callable[[str], None]) -> None:
        """Starts the daemon with its page at the usual port, or at a free one if that is taken: a demonstration may run beside a line."""
        chosen = os.environ.get("STATION__WEB__LISTEN")
        listen = chosen or (f"127.0.0.1:{PORT}" if _is_free(PORT) else ANY_PORT)
        self.start_daemon(listen)
        page = self._served()
        if page.url is None and not chosen:  # another program has taken the port since
            listen = ANY_PORT
            self._end("daemon")
            self.start_daemon(listen)
            page = self._served()
        if page.url is None:
            raise DemoFailed(f"the operator's page is not served: {page.reason}")
        self.page = page.url
        taken = f" (port {PORT} is taken)" if listen == ANY_PORT and not chosen else ""
        say(f"      The operator's page: {self.page}{taken}")

    def _served(self) -> PageStatus:
        """The page, once it is up, or once the daemon tells why not."""
        deadline = time.monotonic() + READY_WITHIN
        page: PageStatus | None = PageStatus(url=None, listeners=0, reason=None)
        while page is not None and page.url is None and page.reason is None and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY)
            page = self.status().page
        return page or PageStatus(url=None, listeners=0, reason="[web] on = false")

    def start_daemon(self, listen: str) -> None:
        """Starts the daemon, with its page at this address; also again after its end."""
        bench = json.loads((self.folder / "bench.json").read_text(encoding="utf-8"))
        url = json.loads((self.folder / "pki" / "ready.json").read_text(encoding="utf-8"))["url"]
        config = self.folder / "line.toml"
        config.write_text(line_configuration(self.recipe, bench["probes"]), encoding="utf-8")
        settings = {"STATION__PKI__URL": url, "STATION__WEB__LISTEN": listen}
        self._start("daemon", "station", "run", "--config", str(config), **settings)
        self._wait_for("daemon", self._daemon_answers)

    def _daemon_answers(self) -> bool:
        try:
            self.status()
        except DemoFailed:
            return False
        return True

    def _start(self, name: str, module: str, *arguments: str, **environment: str) -> None:
        with (self.folder / "logs" / f"{name}.out").open("wb") as output:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                start_new_session=True,  # Ctrl-C is ours to pass on, in order
            )

    def _wait_for(self, name: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while not ready():
            if self.processes[name].poll() is not None or time.monotonic() > deadline:
                raise DemoFailed(f"the {name} did not start; {self._last_words(name)}")
            time.sleep(LOOK_EVERY)

    def _bench(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "virtual_bench", *arguments, "--dir", str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DemoFailed(f"virtual-bench {' '.join(arguments)}: {done.stdout}{done.stderr}")

    def _last_words(self, name: str) -> str:
        output = (self.folder / "logs" / f"{name}.out").read_text(encoding="utf-8", errors="replace")
        return "its last words:\n" + "\n".join(output.splitlines()[-15:])

    def _stop(self) -> None:
        """Stops the daemon first, so that it does not see its bench vanish."""
        for name in ("operator", "daemon", "pki", "bench"):
            self._end(name)

    def _end(self, name: str) -> None:
        process = self.processes.get(name)
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_free(port: int) -> bool:
    """Whether a server can have this port."""
    with closing(socket.socket()) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def line_configuration(recipe: Path, probes: list[Mapping[str, object]]) -> str:
    """config/demo.toml, preceded by the recipe's path and followed by the slots."""
    text = shipped.LINE_OF_DEMONSTRATION.read_text(encoding="utf-8")
    slots = "".join(
        f"\n[[slot]]\nname = {json.dumps(str(probe['port']))}\npath = {json.dumps(probe['path'])}\n" for probe in probes
    )
    return f"recipe = {json.dumps(str(recipe.resolve()))}\n\n{text}{slots}"
