# SPDX-License-Identifier: Apache-2.0
"""Runs `station demo` as a user would, and reads the files that it leaves."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.builders.log_words import checked

ROOT = Path(__file__).parents[2]

# Healthy boards share two slow cores with the other tests: a deadline that expires for them makes a fault of the load.
_FOR_A_LOADED_MACHINE = {
    "STATION__PROGRAMMER__CONNECT_WITHIN": "120",
    "STATION__PKI__CONNECT_WITHIN": "60",
    "STATION__PKI__REPLY_WITHIN": "60",
    "STATION__PKI__ANSWER_WITHIN": "120",
    "STATION__WEB__LISTEN": "127.0.0.1:0",  # many lines on one machine
}

# For a few boards. A mute board holds the tests up for one of these deadlines.
SHORT_DEADLINES = {
    **_FOR_A_LOADED_MACHINE,
    "STATION__BOARD__BOOT_WITHIN": "30",
    "STATION__BOARD__REPLY_WITHIN": "30",
    "STATION__BOARD__REPEAT_EVERY": "5",
}

# For sixty-four boards, each of them an emulated chip.
PATIENT_DEADLINES = {
    **_FOR_A_LOADED_MACHINE,
    "STATION__BOARD__BOOT_WITHIN": "240",
    "STATION__BOARD__REPLY_WITHIN": "240",
    "STATION__BOARD__REPEAT_EVERY": "15",
}


@dataclass(frozen=True, slots=True)
class Demonstration:
    """One finished run."""

    exit_status: int
    output: str
    folder: Path

    @property
    def report(self) -> dict[str, list[dict[str, object]]]:
        loaded: dict[str, list[dict[str, object]]] = json.loads((self.folder.parent / "report.json").read_text())
        return loaded

    def lines(self, name: str) -> list[dict[str, object]]:
        """The JSON lines of a file that the run left."""
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]


def heard(command: Sequence[str], **environment: str) -> subprocess.Popen[str]:
    """A program whose words are read, in a session of its own, so that only a test's signals reach it."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        start_new_session=True,
    )


def running(folder: Path) -> list[str]:
    """The command lines of all processes that mention the folder."""
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(folder) in words and process.parent.name != str(os.getpid()):
            lines.append(words)
    return lines


def demonstrate(
    folder: Path, *options: str, within: float = 600, deadlines: Mapping[str, str] = SHORT_DEADLINES
) -> Demonstration:
    """`station demo` with time scale 0 and these options, in `folder`/line; then checks the words of the daemon's log."""
    place = folder / "line"
    command = [sys.executable, "-m", "station", "demo", "--time-scale", "0", "--dir", str(place)]
    with heard([*command, "--json", str(folder / "report.json"), *options], **deadlines) as process:
        try:
            output, _ = process.communicate(timeout=within)
        except BaseException:
            # It then stops its bench, PKI and daemon; if killed, it would leave them running.
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
    if (log := place / "logs" / "station.jsonl").exists():
        checked(log)
    return Demonstration(process.returncode, output, place)
