# SPDX-License-Identifier: Apache-2.0
"""A line whose ledger is removed, restored, damaged, or shared: no identity comes twice, and no board passes on it."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from station.adapters.ledger.interventions import history
from tests.builders.damage import spoil
from tests.builders.line import Line, LineFailed
from tests.builders.station_demo import ROOT, SHORT_DEADLINES
from tests.line.standing_line import Standing
from tests.line.test_page import answer

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]


@pytest.fixture
def standing(tmp_path: Path, secrets_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    for name, value in SHORT_DEADLINES.items():
        monkeypatch.setenv(name, value)
    with Line.standing(tmp_path / "line", 2) as line:
        yield Standing(line)


def passed(standing: Standing, number: int) -> str:
    """The serial number of a fresh board that passes in this slot and is then pulled."""
    slot = standing.next_board(number)
    assert slot.state == "pass", slot
    standing.wait(number, lambda slot: slot.state == "empty")
    told = standing.station("units", "export", "--format", "jsonl")
    return str(json.loads(told.splitlines()[-1])["serial_number"])


def stop(standing: Standing) -> None:
    daemon = standing.line.processes["daemon"]
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(300) == 0


def refused(config: Path) -> str:
    """The message of `station run` on standard error when it does not open the line."""
    command = [sys.executable, "-m", "station", "run", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=300)
    assert done.returncode == 3, done
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def test_a_line_pauses_while_its_ledger_is_away(standing: Standing) -> None:
    """A board that comes meanwhile waits without an identity, and passes when the file is back."""
    passed(standing, 1)
    ledger = standing.line.folder / "ledger.sqlite"
    ledger.rename(standing.line.folder / "away")
    standing.until(lambda: standing.line.status().line.fault == "ledger.lost")
    assert standing.line.status().ledger.state == "lost"
    page = standing.line.status().page
    assert page is not None
    status, health = answer(page.url or "", "/readyz")
    checks = {"line": "ledger.lost", "ledger": "ledger.lost", "pki": "ok"}
    assert (status, health["checks"]) == (503, checks)
    assert str(ledger) in str(standing.line.status().line.reason)
    standing.bench("plug", "1", "--new")
    standing.wait(1, lambda slot: slot.probe is not None)
    assert standing.slot(1).attempt is None
    (standing.line.folder / "away").rename(ledger)
    assert standing.wait(1, lambda slot: slot.verdict is not None).state == "pass"


def test_a_person_can_hold_a_slot_while_the_ledger_waits(standing: Standing) -> None:
    """The command says that the record is missing, and the ledger has it once another program has let go of the file."""
    ledger = standing.line.folder / "ledger.sqlite"
    with closing(sqlite3.connect(ledger, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = standing.line.command("slots", "hold", "1", "--reason", "smells of smoke")
        assert (done.returncode, done.stdout) == (0, "slot 1 is out of service\n")
        assert "the ledger will record it" in done.stderr
        assert standing.slot(1).service == "out"
        assert list(history(ledger)) == []
        other.execute("ROLLBACK")
    standing.until(lambda: [each.reason for each in history(ledger)] == ["smells of smoke"])


def test_a_board_finds_the_ledger_gone_before_it_gets_an_identity(standing: Standing) -> None:
    """The attempt is void and the line paused; the next start reports the missing ledger."""
    (standing.line.folder / "ledger.sqlite").unlink()
    standing.bench("plug", "1", "--new")
    standing.until(lambda: standing.line.status().line.fault == "ledger.lost")
    assert standing.slot(1).verdict in {None, "void"}
    stop(standing)
    assert "there is no ledger, or an empty one" in refused(standing.line.folder / "line.toml")


def test_an_old_copy_put_back_is_refused_until_somebody_says_how_many_to_skip(standing: Standing) -> None:
    """The next board's serial number then follows those that were given out."""
    config, ledger = standing.line.folder / "line.toml", standing.line.folder / "ledger.sqlite"
    standing.station("ledger", "backup", str(standing.line.folder / "copy.sqlite"))
    serials = [passed(standing, 1), passed(standing, 2)]
    stop(standing)
    shutil.copyfile(standing.line.folder / "copy.sqlite", ledger)
    said = refused(config)
    assert "was replaced or moved since this station" in said  # LedgerMoved
    assert "station ledger restored --skip N" in said
    standing.station("ledger", "restored", "--skip", "7")
    standing.line.start_daemon()
    serials.append(passed(standing, 1))
    assert [int(serial[-4:]) for serial in serials] == [1, 2, 8]


def test_a_second_station_at_the_same_hub_is_refused(standing: Standing) -> None:
    """A second station with its own state folder would provision passed boards again."""
    config = standing.line.folder / "second.toml"
    text = (standing.line.folder / "line.toml").read_text()
    (standing.line.folder / "second").mkdir()
    config.write_text(text.replace('state = "."', 'state = "second"').replace('"demo-line"', '"second"'))
    pid = standing.line.processes["daemon"].pid
    said = refused(config)
    assert "Another station on this machine uses this slot" in said
    assert f"process {pid}" in said
    passed(standing, 1)


def ended_or_paused(standing: Standing) -> bool:
    try:
        return (standing.line.status().line.fault or "").startswith("ledger.")
    except LineFailed:
        return standing.line.processes["daemon"].poll() is not None


@pytest.mark.parametrize("table", ["pki_request", "certificate"])  # not yet read by then
def test_no_board_passes_on_a_damaged_ledger(standing: Standing, table: str) -> None:
    """The fault is the ledger's, and never `station.bug`."""
    passed(standing, 1)
    stop(standing)
    standing.line.start_daemon()
    spoil(standing.line.folder / "ledger.sqlite", table)
    standing.bench("plug", "1", "--new")
    standing.until(lambda: ended_or_paused(standing))
    log = (standing.line.folder / "logs" / "station.jsonl").read_text()
    assert "station.bug" not in log
    verdicts = [json.loads(line) for line in log.splitlines() if '"attempt.finished"' in line]
    assert [line["verdict"] for line in verdicts].count("pass") == 1
