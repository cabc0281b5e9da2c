# SPDX-License-Identifier: Apache-2.0
"""The daemon may lose log lines, but no boards: whatever happens to stdout and to the log file, the line goes on."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from station.daemon import control
from station.line.status import Status
from tests.builders.line import Line
from tests.builders.station_demo import ROOT, SHORT_DEADLINES
from tests.builders.warm import Program
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

MORE_THAN_A_PIPE_HOLDS = 2000  # lines; a pipe has 64 KiB
MORE_THAN_THE_STATION_KEEPS = 16000
STOPPED_WITHIN = 300


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """A line whose daemon has been stopped: each test starts one with its own options."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in SHORT_DEADLINES.items():
            patched.setenv(name, value)
        with Line.standing(tmp_path_factory.mktemp("log") / "line", 4) as line:
            stop(line.processes["daemon"])
            yield Standing(line)


@contextmanager
def daemon(standing: Standing, stdout: int | IO[bytes], file: Path, errors: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Runs `station run` with this stdout and this log file until it answers; its standard error goes to `errors`."""
    line = standing.line
    url = json.loads((line.folder / "pki" / "ready.json").read_text())["url"]
    environment = {**os.environ, "STATION__PKI__URL": url, "STATION__LOG__FILE": str(file)}
    command = [sys.executable, "-m", "station", "run", "--config", str(line.folder / "line.toml")]
    with errors.open("wb") as complaints:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=complaints, env=environment, cwd=ROOT
        )
    try:
        standing.until(lambda: process.poll() is not None or answers(standing), within=300)
        assert process.poll() is None, errors.read_text()
        yield process
    finally:
        stop(process)


def answers(standing: Standing) -> bool:
    """Its page is there, too, so that what the log says of it is not among the lines that a test counts."""
    try:
        status = Status.model_validate(control.ask(standing.line.folder / "station.sock", "status"))
    except control.DaemonAbsent:
        return False
    return status.page is not None and status.page.url is not None


def stop(process: Program) -> int:
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(STOPPED_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def make_lines(standing: Standing, count: int) -> None:
    """Makes the daemon log that many lines, by taking a slot out and releasing it again and again."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(os.path.relpath(standing.line.folder / "station.sock"))
        with connection.makefile("rb") as said:
            for _ in range(count // 2):
                for command in ("hold", "release"):
                    connection.sendall(json.dumps({"command": command, "slot": "4"}).encode() + b"\n")
                    assert "error" not in json.loads(said.readline())


def events(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def sink(standing: Standing, name: str) -> dict[str, object]:
    """The entry of `station status --json` for one sink of the log."""
    sinks = json.loads(standing.station("status", "--json"))["log"]
    return next(each for each in sinks if each["sink"] == name)


def is_told(standing: Standing, file: Path) -> bool:
    """Whether all that the daemon has said so far is in the file: lines are gathered for a moment."""
    return file.exists() and sink(standing, str(file))["waiting"] == 0


@pytest.fixture
def unread() -> Iterator[tuple[int, int]]:
    """A pipe: the end that nobody reads, and the end for writing."""
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        with contextlib.suppress(OSError):  # the test has closed it
            os.close(end)


def test_a_stdout_that_nobody_reads_stops_no_board(bench: Standing, unread: tuple[int, int], tmp_path: Path) -> None:
    """The pipe fills, then the station's queue: lines are lost and counted, and boards pass."""
    with daemon(bench, unread[1], tmp_path / "station.jsonl", tmp_path / "errors") as process:
        make_lines(bench, MORE_THAN_THE_STATION_KEEPS)
        assert bench.next_board(1).verdict == "pass"
        lost = sink(bench, "stdout")["lost"]
        assert isinstance(lost, int)
        assert lost > 0
        assert f"stdout {lost} lost" in bench.station("status")
        assert stop(process) == 0
    named = [event["event"] for event in events(tmp_path / "station.jsonl")]
    assert named.count("slot.released") == MORE_THAN_THE_STATION_KEEPS // 2
    assert named[-1] == "station.stopped"


def test_the_next_line_that_gets_through_tells_how_many_were_lost(
    bench: Standing, unread: tuple[int, int], tmp_path: Path
) -> None:
    """The count is at the place of the lost lines."""
    reading, writing = unread
    with daemon(bench, writing, tmp_path / "station.jsonl", tmp_path / "errors") as process:
        os.close(writing)
        make_lines(bench, MORE_THAN_THE_STATION_KEEPS)
        lost = sink(bench, "stdout")["lost"]
        read: list[dict[str, object]] = []

        def drain() -> None:
            with os.fdopen(os.dup(reading), "rb") as lines:
                read.extend(json.loads(line) for line in lines)

        reader = threading.Thread(target=drain)
        reader.start()
        bench.until(lambda: sink(bench, "stdout")["waiting"] == 0)
        make_lines(bench, 2)
        assert stop(process) == 0
        reader.join()
    # A pipe that is nearly full may take one more line now and then, so the lines may be missing at several places.
    whole = events(tmp_path / "station.jsonl")
    place = missing = 0
    for event in read:
        if event["event"] == "log.lost":
            assert (event["sink"], event["level"]) == ("stdout", "warning")
            missing += int(str(event["lines"]))
            place += int(str(event["lines"]))
        else:
            assert event == whole[place]
            place += 1
    assert (missing, place) == (lost, len(whole))
    assert [event["event"] for event in read[-3:]] == ["slot.taken_out", "slot.released", "station.stopped"]


def test_a_reader_of_stdout_that_goes_away_ends_nothing(
    bench: Standing, unread: tuple[int, int], tmp_path: Path
) -> None:
    """`station run | head -1` is such a reader."""
    reading, writing = unread
    with daemon(bench, writing, tmp_path / "station.jsonl", tmp_path / "errors") as process:
        os.close(writing)
        assert b"station.started" in os.read(reading, 1 << 16)
        os.close(reading)
        make_lines(bench, MORE_THAN_A_PIPE_HOLDS)
        assert bench.next_board(2).verdict == "pass"
        bench.until(lambda: sink(bench, "stdout")["fault"] == "Broken pipe")
        assert stop(process) == 0
    assert (tmp_path / "errors").read_text().count("Broken pipe") == 1
    assert "Traceback" not in (tmp_path / "errors").read_text()


def test_what_is_said_at_the_end_holds_it_up_for_nobody(
    bench: Standing, unread: tuple[int, int], tmp_path: Path
) -> None:
    """Standard error and stdout are one full pipe when the daemon reports why it ends."""
    os.set_blocking(unread[1], False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(unread[1], bytes(4096))
    os.set_blocking(unread[1], True)
    (tmp_path / "state" / "ledger.sqlite").mkdir(parents=True)
    environment = {**os.environ, "STATION__STATION__STATE": str(tmp_path / "state")}
    command = [sys.executable, "-m", "station", "run", "--config", str(bench.line.folder / "line.toml")]
    with subprocess.Popen(command, stdout=unread[1], stderr=unread[1], env=environment, cwd=ROOT) as process:
        try:
            assert process.wait(STOPPED_WITHIN) == 3
        finally:
            process.kill()


def test_a_full_disk_neither_keeps_the_daemon_from_starting_nor_ends_it(bench: Standing, tmp_path: Path) -> None:
    """The daemon reports it once, and writes the kept lines when there is room again."""
    file, disk = tmp_path / "station.jsonl", tmp_path / "disk.jsonl"
    file.symlink_to("/dev/full")
    with daemon(bench, subprocess.DEVNULL, file, tmp_path / "errors") as process:
        assert bench.next_board(3).verdict == "pass"
        bench.until(lambda: sink(bench, str(file))["fault"] == "No space left on device")
        replaced(file, lambda new: new.symlink_to(disk))
        bench.until(lambda: sink(bench, str(file))["fault"] is None)
        assert stop(process) == 0
    named = [event["event"] for event in events(disk)]
    assert named[0] == "station.started"
    assert named.count("attempt.finished") == 1
    assert named[-1] == "station.stopped"
    assert (tmp_path / "errors").read_text().count("No space left on device") == 1


def replaced(file: Path, make: Callable[[Path], None]) -> None:
    new = file.with_suffix(".new")
    make(new)
    new.replace(file)


def test_a_folder_that_cannot_be_made_is_tried_again(bench: Standing, tmp_path: Path) -> None:
    """A file takes the folder's place while the daemon runs; after it is removed, the daemon makes the folder and writes on."""
    place = tmp_path / "logs"
    file = place / "station.jsonl"
    with daemon(bench, subprocess.DEVNULL, file, tmp_path / "errors") as process:
        bench.until(lambda: is_told(bench, file))
        shutil.rmtree(place)
        place.write_text("in the way")
        process.send_signal(signal.SIGHUP)
        bench.until(lambda: sink(bench, str(file))["fault"] == f"File exists: {place}")
        place.unlink()
        bench.until(file.exists)
        assert stop(process) == 0
    named = [event["event"] for event in events(file)]
    assert (named[0], named[-1]) == ("log.reopened", "station.stopped")


def test_a_folder_that_vanishes_is_made_again(bench: Standing, tmp_path: Path) -> None:
    """Later lines are in the new file."""
    file = tmp_path / "logs" / "station.jsonl"
    with daemon(bench, subprocess.DEVNULL, file, tmp_path / "errors") as process:
        bench.until(lambda: is_told(bench, file))
        shutil.rmtree(file.parent)
        make_lines(bench, 2)
        assert stop(process) == 0
    assert [event["event"] for event in events(file)] == ["slot.taken_out", "slot.released", "station.stopped"]


def test_sighup_opens_the_file_anew_and_loses_nothing(bench: Standing, tmp_path: Path) -> None:
    """logrotate renames the file first; lines after the signal are in the new one."""
    file, old = tmp_path / "station.jsonl", tmp_path / "station.jsonl.1"
    with daemon(bench, subprocess.DEVNULL, file, tmp_path / "errors") as process:
        make_lines(bench, 1000)
        file.rename(old)
        make_lines(bench, 1000)
        process.send_signal(signal.SIGHUP)
        bench.until(file.exists)
        make_lines(bench, 1000)
        assert stop(process) == 0
    both = events(old) + events(file)
    assert [event["event"] for event in both].count("slot.released") == 1500
    moments = [(event["time"], event["milliseconds"]) for event in both]
    assert moments == sorted(moments, key=lambda moment: (str(moment[0]), moment[1]))
    assert sum(event["event"] == "slot.released" for event in events(file)) >= 500
    assert "log.reopened" in [event["event"] for event in events(file)]
