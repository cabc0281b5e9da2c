# SPDX-License-Identifier: Apache-2.0
"""An executable in place of the programmer that plays scripted runs.

It simulates no boards (the virtual bench does): it prints, waits for a signal or not, and ends.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

SCRIPT = f"""#!{sys.executable} -IS
import json, os, signal, sys
here = os.path.dirname(os.path.abspath(__file__))
number = len([name for name in os.listdir(here) if name.startswith("run-")])
with open(os.path.join(here, "plays.json")) as file:
    plays = json.load(file)
play = plays[min(number, len(plays) - 1)]
written = [sys.argv[index + 1] for index, word in enumerate(sys.argv) if word == "-d"]
files = [(oct(os.stat(path).st_mode), os.path.dirname(path), open(path, "rb").read().hex()) for path in written]
with open(os.path.join(here, "new"), "w") as file:
    json.dump(dict(pid=os.getpid(), argv=sys.argv[1:], environment=dict(os.environ), files=files), file)
os.rename(os.path.join(here, "new"), os.path.join(here, "run-%03d" % number))
if play["deaf"]:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
for index, word in enumerate(sys.argv):
    if word == "-u" and (play["read"] is not None or play["reads"]):
        with open(sys.argv[index + 3], "wb") as file:
            file.write(bytes.fromhex(play["reads"].pop(0) if play["reads"] else play["read"]))
    if word == "-u" and play["leaves"]:
        path = sys.argv[index + 3]
        leave = dict(pipe=os.mkfifo, folder=os.mkdir, link=lambda path: os.symlink(__file__, path))
        leave.update(device=lambda path: os.symlink("/dev/zero", path), much=lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 1 << 40))
        leave[play["leaves"]](path)
for line in play["lines"]:
    for path, name in zip(written, play["names"]):
        line = line.replace(name, os.path.basename(path))
    print(line, flush=True)
while play["endless"]:
    print(play["endless"])
while play["hangs"]:
    signal.pause()
sys.exit(play["exit_status"])
"""


@dataclass(frozen=True, slots=True)
class Play:
    """One scripted run.

    It prints its lines, with the names of the given files in place of `names`, writes `read` into the requested file
    (or `reads` into several, one after the other) or `leaves` something else there, and ends. `endless` is printed after the lines, again and again.
    """

    lines: tuple[str, ...]
    exit_status: int = 0
    names: tuple[str, ...] = ("factory-data.bin", "provisioning.bin")
    read: str | None = None
    reads: tuple[str, ...] = ()
    leaves: str = ""
    endless: str = ""
    hangs: bool = False
    deaf: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """The arguments and environment of one run."""

    pid: int
    argv: list[str]
    environment: dict[str, str]
    files: list[tuple[str, str, str]]
    """Mode, folder and content of each file that it was to write."""


class FakeProgrammer:
    """The fake programmer in an empty folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "bin"
        self._folder.mkdir()
        self.cli = self._folder / "STM32_Programmer_CLI"
        self.cli.write_text(SCRIPT)
        self.cli.chmod(0o755)

    def plays(self, *plays: Play) -> None:
        """Sets the runs in their order; the last one repeats."""
        (self._folder / "plays.json").write_text(json.dumps([asdict(play) for play in plays]))

    @property
    def runs(self) -> list[Run]:
        return [Run(**json.loads(path.read_text())) for path in sorted(self._folder.glob("run-*"))]
