# SPDX-License-Identifier: Apache-2.0
"""What `station demo` shows while it runs, in a pipe and on a terminal, and the folder that it keeps or removes."""

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.builders.station_demo import PATIENT_DEADLINES, ROOT, SHORT_DEADLINES

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

PULLED = """
[[fault]]
board = 1
at = "flash_data"
what = "unplug"
expect = { verdict = "void", fault = "board.removed" }
"""
MISMATCH = """
[[fault]]
board = 2
at = "flash_data"
what = "verify_mismatch"
expect = { verdict = "fail", fault = "flash.mismatch" }
"""
ALTERNATE_SCREEN, ORIGINAL_SCREEN, HOME = "\x1b[?1049h", "\x1b[?1049l", "\x1b[H"
STYLES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def demo(*options: str | Path) -> list[str]:
    return [sys.executable, "-m", "station", "demo", "--time-scale", "0", *map(str, options)]


def piped(folder: Path, *options: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a demonstration in a folder of its own choice, below this one."""
    (folder / "tmp").mkdir()
    environment = {**os.environ, **SHORT_DEADLINES, "TMPDIR": str(folder / "tmp")}
    return subprocess.run(demo(*options), capture_output=True, text=True, check=False, cwd=ROOT, env=environment)


def file(folder: Path, content: str) -> Path:
    path = folder / "faults.toml"
    path.write_text(content)
    return path


def test_no_folder_is_left_where_every_board_passed(tmp_path: Path) -> None:
    """The demonstration says so."""
    done = piped(tmp_path, "--boards", "2")
    assert done.returncode == 0, done.stdout
    assert list((tmp_path / "tmp").glob("station-demo-*")) == []
    assert "Every board passed: " in done.stdout


def test_a_board_that_ended_badly_is_explained_and_its_files_are_kept(tmp_path: Path) -> None:
    """The verdicts were expected, so it is a success; each line of text names verdict, fault and what to do."""
    done = piped(tmp_path, "--boards", "3", "--faults", file(tmp_path, PULLED + MISMATCH))
    assert done.returncode == 0, done.stdout
    (folder,) = (tmp_path / "tmp").glob("station-demo-*")
    before, after = done.stdout.split("serial number", 1)  # the head of the report's table
    assert "Slot 1 void board.removed: The board was pulled before its verdict: plug it in" in before
    assert "Slot 2 fail flash.mismatch: " in before
    assert "slot 1 void board.removed in flash data: The board was pulled before its verdict: plug it in" in after
    assert "slot 2 fail flash.mismatch in flash data: " in after
    assert f"Kept: {folder}" in after
    named = re.findall(r"what the programmer said: (\S+)", after) + re.findall(r"^    (\S+)  ", after, re.MULTILINE)
    assert len(named) == 7
    assert all((folder / name).exists() for name in named)


def test_a_demonstration_says_what_it_starts_before_that_is_up(tmp_path: Path) -> None:
    """This bench never comes up. The folder with its last words is kept."""
    done = piped(tmp_path, "--boards", "2", "--programmer-version", "0.0")
    assert done.returncode == 3, done.stdout
    (folder,) = (tmp_path / "tmp").glob("station-demo-*")
    told = done.stdout.splitlines()
    assert told[:2] == [f"Files: {folder}", "[1/4] Starting the virtual bench: programmer, hub and 2 boards"]
    assert "choose one of" in done.stdout
    assert f"Kept: {folder}" in told


def test_each_start_is_told_in_its_order(tmp_path: Path) -> None:
    """Bench, PKI, daemon, page, boards, and only then the first step of a board."""
    told = piped(tmp_path, "--boards", "1").stdout
    page = "The operator's page: http://127.0.0.1:"
    places = [told.index(words) for words in ("[1/4]", "[2/4]", "[3/4]", page, "[4/4]", "Slot 1 running")]
    assert places == sorted(places)


def test_forty_boards_fit_a_terminal_of_24_lines_and_a_smaller_one(tmp_path: Path) -> None:
    """Each frame is as large as the terminal. The terminal becomes smaller as soon as a void board was shown."""
    place = tmp_path / "line"
    options = ("--boards", 40, "--faults", file(tmp_path, PULLED + MISMATCH), "--dir", place)
    output = terminal_output(demo(*map(str, options)))
    before, rest = output.split(ALTERNATE_SCREEN)
    live, after = rest.split(ORIGINAL_SCREEN)
    assert "[4/4]" in before
    assert f"Kept: {place}" in after.replace("\r\n", "")
    texts = [STYLES.sub("", frame).replace("\r", "").strip("\n") for frame in live.split(HOME)]
    frames = [text.split("\n") for text in texts if text]
    sizes = [(len(frame), max(map(len, frame))) for frame in frames]
    assert all(lines <= 24 and columns <= 80 for lines, columns in sizes)
    assert (sizes[0], sizes[-1]) == ((24, 80), (12, 60))
    assert any("1 □ EMPTY ↻" in " ".join(frame) for frame in frames)
    sentences = ("The board was pulled before its verdict: plug it in again.", "The flash does not read back")
    assert any(sentence in " ".join(frame) for sentence in sentences for frame in frames)
    assert any("Line open  demo-line" in frame[0] for frame in frames if len(frame) == 12)


def terminal_output(command: list[str]) -> str:
    """What a program writes to a terminal, which shrinks once the program has shown that the first board is void."""
    ours, theirs = os.openpty()
    resize(ours, 24, 80)
    environment = {**os.environ, **PATIENT_DEADLINES, "TERM": "xterm-256color"}
    for name in ("COLUMNS", "LINES", "NO_COLOR"):
        environment.pop(name, None)
    output = b""
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, env=environment, start_new_session=True
    ) as process:
        os.close(theirs)
        try:
            while more := read(ours):
                output += more
                if "EMPTY ↻".encode() in output:
                    resize(ours, 12, 60)
        finally:
            if process.poll() is None:
                process.terminate()
    os.close(ours)
    assert process.returncode == 0, output.decode()
    return output.decode()


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # Linux reports the last program's end as EIO
        return b""


def resize(terminal: int, lines: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
