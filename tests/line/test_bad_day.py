# SPDX-License-Identifier: Apache-2.0
"""The station's own resources fail while boards are in their slots: nothing is lost, and the line goes on by itself."""

import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from station.adapters.ledger.reader import LedgerReader
from station.line.status import Status
from tests.builders.bench import holding
from tests.builders.damage import spoil
from tests.builders.disks import filled, small_disk
from tests.builders.json_lines import objects_of
from tests.builders.line import Line
from tests.builders.station_demo import ROOT, SHORT_DEADLINES
from tests.line.standing_line import Standing, issued, story

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

ENDED = {"pass", "fail", "void", "out of service"}


@pytest.fixture
def standing(tmp_path: Path, secrets_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    for name, value in {**SHORT_DEADLINES, "STATION__PKI__CHECK_EVERY": "0.5"}.items():
        monkeypatch.setenv(name, value)
    # Slow enough that writing the last firmware takes some seconds, in which the trouble must come.
    with Line.standing(tmp_path / "line", 2, time_scale=0.4) as line:
        yield Standing(line)


def daemon(standing: Standing) -> int:
    return standing.line.processes["daemon"].pid


def log(standing: Standing) -> list[dict[str, object]]:
    return objects_of(standing.line.folder / "logs" / "station.jsonl")


def events(standing: Standing, name: str) -> list[dict[str, object]]:
    return [line for line in log(standing) if line["event"] == name]


def paused(standing: Standing, fault: str) -> Status:
    """The status once the line is paused by this fault."""
    standing.until(lambda: standing.line.status().line.fault == fault, within=300)
    return standing.line.status()


def goes_on(standing: Standing, *slots: int) -> None:
    """The line opens again by itself, and these boards pass."""
    standing.until(lambda: standing.line.status().line.fault is None, within=300)
    for number in slots:
        assert standing.wait(number, lambda slot: slot.state in ENDED, within=300).state == "pass"
    assert events(standing, "station.failed") == []


def output(standing: Standing) -> str:
    """The daemon's standard output and error, except its log."""
    lines = (standing.line.folder / "logs" / "daemon.out").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("{"))


def ledger(standing: Standing) -> Path:
    return standing.line.folder / "ledger.sqlite"


def half_written(standing: Standing) -> None:
    """Plugs in board 1, and stops the bench while it writes the operational firmware: trouble may take its time to begin."""
    standing.bench("plug", "1")
    standing.wait(1, lambda slot: slot.step == "flash_operational")
    standing.line.processes["bench"].send_signal(signal.SIGSTOP)


def written_on(standing: Standing) -> None:
    standing.line.processes["bench"].send_signal(signal.SIGCONT)


def test_a_ledger_that_another_program_holds_pauses_the_line(standing: Standing) -> None:
    """A running attempt waits, a new board waits for its attempt, and a pulled board has left."""
    half_written(standing)
    with holding(ledger(standing)) as holder:
        written_on(standing)
        status = paused(standing, "ledger.unavailable")
        assert status.line.reason is not None
        assert f"{ledger(standing)}: database is locked by process {holder.pid} (" in status.line.reason
        assert status.ledger.state == "waiting"
        assert status.slots[0].state == "running"
        standing.bench("plug", "2")
        standing.wait(2, lambda slot: slot.probe is not None)
        assert standing.slot(2).state == "waiting"
        standing.bench("unplug", "2")
        assert standing.wait(2, lambda slot: slot.state == "empty").attempt is None
        standing.bench("plug", "2")
        standing.wait(2, lambda slot: slot.state == "waiting")
    goes_on(standing, 1, 2)
    assert story(standing, standing.slot(1).uid) == ["provision pass"]  # of one attempt, which has waited
    assert len(issued(standing)) == 2
    assert len(events(standing, "line.paused")) == len(events(standing, "line.resumed")) == 1
    assert output(standing) == ""


def test_a_pulled_board_is_gone_while_its_verdict_waits(standing: Standing) -> None:
    """The board's slot is empty, and takes the next board when the ledger has the verdict."""
    half_written(standing)
    with holding(ledger(standing)):
        written_on(standing)
        paused(standing, "ledger.unavailable")
        standing.bench("unplug", "1")
        left = standing.wait(1, lambda slot: slot.state == "empty")
        assert left.verdict is None  # none is shown before it is durable
        standing.bench("plug", "1")
        standing.wait(1, lambda slot: slot.state == "waiting")
    goes_on(standing, 1)
    assert [line["fault"] for line in events(standing, "attempt.finished") if line["verdict"] == "void"] == [
        "board.removed"
    ]


def test_a_line_that_waits_for_its_ledger_can_be_stopped(standing: Standing) -> None:
    """The daemon ends in order on SIGTERM; the next start closes the open attempt, and the board passes."""
    half_written(standing)
    with holding(ledger(standing)):
        written_on(standing)
        paused(standing, "ledger.unavailable")
        os.kill(daemon(standing), signal.SIGTERM)
        assert standing.line.processes["daemon"].wait(300) == 0
    assert output(standing) == ""
    standing.line.start_daemon()
    goes_on(standing, 1)
    assert len(issued(standing)) == 1


def test_a_ledger_that_is_held_at_the_start_is_refused(standing: Standing) -> None:
    """After some seconds one sentence names the file and its holder."""
    standing.line.processes["daemon"].send_signal(signal.SIGTERM)
    standing.line.processes["daemon"].wait(300)
    command = [sys.executable, "-m", "station", "run", "--config", str(standing.line.folder / "line.toml")]
    with holding(ledger(standing)) as holder:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=300)
    assert done.returncode == 3
    (sentence,) = done.stderr.splitlines()
    assert f"{ledger(standing)}: database is locked by process {holder.pid} (" in sentence
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == ["ledger.awaited"]


def test_a_ledger_that_cannot_mend_ends_the_daemon_in_order(standing: Standing) -> None:
    """The daemon exits with 3 and one sentence, logs every interrupted attempt, and has shown only durable verdicts."""
    restarted(standing)
    put_back = spoil(ledger(standing), "certificate")  # which a daemon that has just started has not read yet
    standing.bench("plug", "1")
    assert standing.line.processes["daemon"].wait(300) == 3
    (sentence,) = output(standing).splitlines()
    assert f"file {ledger(standing)}, reason database disk image is malformed" in sentence
    last = [(line["event"], line.get("slot"), line.get("fault")) for line in log(standing)][-2:]
    assert last == [("attempt.abandoned", "1", "ledger.damaged"), ("station.failed", None, "ledger.damaged")]
    assert not (standing.line.folder / "station.sock").exists()
    put_back()
    standing.line.start_daemon()
    assert standing.wait(1, lambda slot: slot.state in ENDED, within=300).state == "pass"
    assert [attempt.verdict for attempt in LedgerReader(ledger(standing)).attempts()] == ["void", "pass"]


def test_a_full_disk_pauses_the_line_until_there_is_room(
    tmp_path: Path, standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempt that runs waits, and passes when there is room again."""
    with small_disk(tmp_path / "state", "2m") as disk:
        moved(standing, disk, monkeypatch)
        half_written(standing)
        filler = filled(disk)
        written_on(standing)
        status = paused(standing, "ledger.unavailable")
        assert f"{disk}/ledger.sqlite: database or disk is full" in str(status.line.reason)
        filler.unlink()
        goes_on(standing, 1)
        assert [attempt.verdict for attempt in LedgerReader(disk / "ledger.sqlite").attempts()] == ["pass"]
        standing.line.processes["daemon"].send_signal(signal.SIGTERM)
        assert standing.line.processes["daemon"].wait(300) == 0


def restarted(standing: Standing) -> None:
    standing.line.processes["daemon"].send_signal(signal.SIGTERM)
    assert standing.line.processes["daemon"].wait(300) == 0
    standing.line.start_daemon()


def moved(standing: Standing, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starts a daemon of another name with another state folder."""
    standing.line.processes["daemon"].send_signal(signal.SIGTERM)
    standing.line.processes["daemon"].wait(300)
    monkeypatch.setenv("STATION__STATION__NAME", "demo-line-2")
    monkeypatch.setenv("STATION__STATION__STATE", str(state))
    socket = standing.line.folder / "station.sock"
    socket.unlink(missing_ok=True)
    socket.symlink_to(state / "station.sock")
    standing.line.start_daemon()


def limited(standing: Standing, spare: int) -> tuple[int, int]:
    """Leaves the daemon so many free descriptors, whatever numbers it uses now; returns the limits that it had.

    The limit bounds a descriptor's number. Numbers free below the highest one count, and what is open for a moment does not.
    """
    pid = daemon(standing)
    kept = set.intersection(*(looked_at(pid) for _ in range(20)))
    free = itertools.islice((number for number in itertools.count() if number not in kept), spare, None)
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (next(free), before[1]))
    return before


def looked_at(pid: int) -> set[int]:
    """The descriptors of a process, after a moment."""
    time.sleep(0.05)
    return {int(descriptor.name) for descriptor in Path(f"/proc/{pid}/fd").iterdir()}


ENOUGH_FOR_NO_ATTEMPT = 3  # descriptors; one run of the programmer alone has more


def passed(standing: Standing) -> int:
    return sum(line["verdict"] == "pass" for line in events(standing, "attempt.finished"))


@pytest.mark.parametrize("spare", [1, 3, 5, 7, 9])
def test_a_station_without_descriptors_says_so_and_goes_on(standing: Standing, spare: int) -> None:
    """Wherever the descriptors run out, no board fails, no slot goes out of service, and no bug is reported.

    Many spare ones are enough for boards that come to no step at the same time.
    """
    before = limited(standing, spare)
    standing.bench("plug", "1", "2")
    standing.until(lambda: bool(events(standing, "line.paused")) or passed(standing) == 2, within=300)
    paused_by = events(standing, "line.paused")
    assert {line["fault"] for line in paused_by} <= {"station.resources"}
    assert all("Too many open files" in str(line["reason"]) for line in paused_by)
    assert paused_by or spare > ENOUGH_FOR_NO_ATTEMPT
    resource.prlimit(daemon(standing), resource.RLIMIT_NOFILE, before)
    goes_on(standing, 1, 2)
    faults = {line.get("fault") for line in events(standing, "attempt.finished")}
    assert faults <= {None, "station.resources"}
    assert output(standing) == ""


def status_words(standing: Standing) -> str:
    """The output of `station status`, whatever its exit code."""
    command = [sys.executable, "-m", "station", "status", "--json", "--config", str(standing.line.folder / "line.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return done.stdout or done.stderr


def test_boards_stay_in_their_slots_while_nobody_can_look(standing: Standing) -> None:
    """A folder that cannot be listed for lack of a descriptor is not an empty one."""
    half_written(standing)
    before = limited(standing, 0)
    written_on(standing)
    standing.bench("plug", "2")
    words = status_words(standing)
    assert words.startswith("{") or "it may be out of file descriptors" in words
    standing.until(lambda: bool(events(standing, "line.paused")), within=300)
    resource.prlimit(daemon(standing), resource.RLIMIT_NOFILE, before)
    goes_on(standing, 1, 2)
    assert events(standing, "board.left") == []


def test_full_memory_for_secret_files_pauses_the_line(
    tmp_path: Path, standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault is the line's, is reported once, and ends by itself."""
    standing.line.processes["daemon"].send_signal(signal.SIGTERM)
    standing.line.processes["daemon"].wait(300)
    with small_disk(tmp_path / "memory", "4m") as disk:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(disk))
        standing.line.start_daemon()
        filler = filled(disk)
        standing.bench("plug", "1", "2")
        status = paused(standing, "station.secret_files")
        assert "No space left on device" in str(status.line.reason)
        filler.unlink()
        goes_on(standing, 1, 2)
        assert {line.get("fault") for line in events(standing, "attempt.finished")} == {None, "station.secret_files"}
        standing.line.processes["daemon"].send_signal(signal.SIGTERM)
        assert standing.line.processes["daemon"].wait(300) == 0


def test_boards_pass_where_no_transcript_can_be_written(standing: Standing) -> None:
    """The station counts lost transcripts and logs the first one."""
    (standing.line.folder / "transcripts").write_text("a file where the folder should be")
    standing.bench("plug", "1")
    assert standing.wait(1, lambda slot: slot.state in ENDED).state == "pass"
    lost = standing.line.status().transcripts_lost
    assert lost > 1
    assert f"{lost} transcripts lost" in standing.station("status")
    (told,) = events(standing, "transcript.lost")
    assert str(standing.line.folder / "transcripts") in str(told["file"])
