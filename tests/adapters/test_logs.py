# SPDX-License-Identifier: Apache-2.0
"""The log's lines: their order, their loss, and their form on a terminal."""

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import structlog

from station.adapters.system import logs
from station.adapters.system.log_sinks import QUEUE_SIZE, Sink, end

LINE = b"x" * 1023 + b"\n"
HOSTILE = "\x1b[2J[/nope]\x9b1m\u202e\ud800"

# Logs a thousand lines into a file that is limited to 64 KiB, until the log reports the fault.
ON_A_FULL_DISK = """
import resource, sys, time
from pathlib import Path
import structlog
from station.adapters.system import logs

hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
with logs.configured("info", Path(sys.argv[1]), aloud=False) as log:
    for number in range(1000):
        structlog.get_logger().info("line.written", number=number, text="x" * 100)
    while log.status[0].fault is None:
        time.sleep(0.01)
    print(log.status[0].fault, flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    while log.status[0].waiting:
        time.sleep(0.01)
"""


def loss(lines: int) -> bytes:
    return f"{lines} lost\n".encode()


def read(descriptor: int) -> list[bytes]:
    """Reads all lines until the last writer has closed its end."""
    with os.fdopen(descriptor, "rb") as file:
        return file.readlines()


FILLER = b"\n"


def fill(pipe: int) -> None:
    """Fills the pipe, so that the next write blocks."""
    os.set_blocking(pipe, False)
    with suppress(BlockingIOError):
        while True:
            os.write(pipe, FILLER)
    os.set_blocking(pipe, True)


def test_lines_arrive_in_their_order(tmp_path: Path) -> None:
    """Lines keep their order, whichever thread writes them."""
    reading, writing = os.pipe()
    sink = Sink("pipe", partial(os.dup, writing), loss)
    for number in range(500):
        sink.put(f"{number}\n".encode())
    end([sink], 60)
    os.close(writing)
    assert read(reading) == [f"{number}\n".encode() for number in range(500)]


def test_a_full_queue_loses_the_newest_and_says_so_in_their_place() -> None:
    """`log.lost` counts the lines missing at its place; the status counts all lost lines."""
    reading, writing = os.pipe()
    fill(writing)  # so that the sink writes nothing, and loses lines at one place only, until somebody reads
    sink = Sink("pipe", partial(os.dup, writing), loss)
    kept = QUEUE_SIZE // len(LINE)
    for _ in range(2 * kept):
        sink.put(LINE)
    lost = sink.status.lost
    assert 0 < lost <= kept
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.extend(read(reading)))
    reader.start()
    end([sink], 60)
    os.close(writing)
    reader.join()
    assert [line for line in found if line != FILLER] == [LINE] * (2 * kept - lost) + [f"{lost} lost\n".encode()]


def test_a_place_that_takes_nothing_holds_up_neither_the_other_nor_the_end() -> None:
    """The stuck sink loses its lines; the other sink gets all of them."""
    (unread, full), (reading, writing) = os.pipe(), os.pipe()
    hanging, good = (Sink(str(pipe), partial(os.dup, pipe), loss) for pipe in (full, writing))
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.extend(read(reading)))
    reader.start()
    for _ in range(200):
        hanging.put(LINE)
        good.put(LINE)
    end([hanging, good], 1)
    os.close(writing)
    reader.join()
    assert found == [LINE] * 200
    assert hanging.status.waiting > 0
    with os.fdopen(unread, "rb") as drained:  # so that the thread can end
        os.close(full)
        drained.read()


def test_no_line_is_torn_or_lost_where_a_disk_was_full(tmp_path: Path) -> None:
    """A line of which the first half fitted gets its second half when there is room again."""
    file = tmp_path / "station.jsonl"
    command = [sys.executable, "-c", ON_A_FULL_DISK, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stdout == "File too large\n"
    assert [json.loads(line)["number"] for line in file.read_text().splitlines()] == list(range(1000))
    assert done.stderr.count("File too large") == 1


def test_a_pipe_that_somebody_else_made_non_blocking_loses_nothing() -> None:
    """Another program of the shell may share the pipe and set its mode."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    sink = Sink("pipe", partial(os.dup, writing), loss)
    for _ in range(200):
        sink.put(LINE)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.extend(read(reading)))
    reader.start()
    end([sink], 60)
    os.close(writing)
    reader.join()
    assert found == [LINE] * 200


def test_a_reopened_file_gets_what_comes_after(tmp_path: Path) -> None:
    """No line is lost between the old file and the new one."""
    file, old = tmp_path / "log", tmp_path / "log.1"
    with logs.configured("info", file, aloud=False) as log:
        written(log, partial(structlog.get_logger().info, "line.written", number=1))
        file.rename(old)
        written(log, partial(structlog.get_logger().info, "line.written", number=2))
        log.reopen()
        structlog.get_logger().info("line.written", number=3)
    assert [json.loads(line)["number"] for line in old.read_text().splitlines()] == [1, 2]
    assert [json.loads(line).get("number") for line in file.read_text().splitlines()] == [None, 3]


def written(log: logs.Log, write: Callable[[], None]) -> None:
    write()
    while log.status[0].waiting:
        os.sched_yield()


def test_a_line_has_its_canonical_form(tmp_path: Path) -> None:
    """Time, event and place come first, then the other values in their given order."""
    file = tmp_path / "log"
    with logs.configured("info", file, aloud=False):
        structlog.get_logger().warning("attempt.finished", verdict="void", step=None, slot="1", fault="probe.lost")
    line = json.loads(file.read_text())
    assert list(line) == ["time", "milliseconds", "level", "event", "slot", "verdict", "fault"]
    assert (line["level"], line["time"][-1]) == ("warning", "Z")


def test_text_from_outside_is_bounded_and_stays_one_line_of_ascii(tmp_path: Path) -> None:
    """This holds for text of a board or a PKI, in a value or in an exception."""
    file = tmp_path / "log"
    with logs.configured("info", file, aloud=False):
        structlog.get_logger().info(
            "pki.asked",
            reason=HOSTILE + "\n" + "x" * 1_000_000,
            more={"deep": ["y" * 1_000_000]},
            raw=b"z" * 1_000_000,
        )
        structlog.get_logger().error("station.failed", exc_info=ValueError(HOSTILE * 100_000))
    text = file.read_bytes()
    assert len(text.splitlines()) == 2
    assert len(text) < 40_000
    assert text.isascii()
    assert json.loads(text.splitlines()[0])["reason"].startswith(HOSTILE)


def test_a_terminal_is_shown_text_from_outside_and_obeys_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The console form has its own colours, and no other escape sequence."""
    program = f"""
import structlog
from station.adapters.system import logs
class Named:
    def __repr__(self):
        return {HOSTILE!r}
with logs.configured("info", None):
    structlog.get_logger().info("pki.asked", reason={HOSTILE!r}, more=[{HOSTILE!r}], of=Named(), many=["x" * 1_000_000])
    try:
        raise ValueError({HOSTILE!r})
    except ValueError:
        structlog.get_logger().exception("station.failed")
"""
    terminal, its_end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=its_end, stderr=its_end, cwd=Path(__file__).parents[2]
    )
    os.close(its_end)
    seen = b""
    while True:
        try:
            seen += os.read(terminal, 1 << 16)
        except OSError:  # a terminal's end of file
            break
    os.close(terminal)
    assert process.wait() == 0
    text = seen.decode()
    assert text.count(r"\x1b[2J[/nope]\x9b1m\u202e\ud800") == 4, text
    assert len(text) < 10_000
    assert not any(raw in text for raw in ("\x1b[2J", "\x9b", "\u202e"))
