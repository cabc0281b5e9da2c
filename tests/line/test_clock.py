# SPDX-License-Identifier: Apache-2.0
"""A clock that the PKI or the ledger contradicts pauses the line, until it agrees or a person confirms it."""

import json
import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from station.adapters.ledger.reader import LedgerReader
from station.domain.attempt import ClockAccepted
from tests.builders.line import Line
from tests.builders.station_demo import SHORT_DEADLINES
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

A_YEAR, TWO_DAYS, HALF_A_DAY = 366 * 86_400, 2 * 86_400, 43_200
LATER = "2199-01-01T00:00:00.000Z"


@pytest.fixture
def standing(tmp_path: Path, secrets_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    for name, value in {**SHORT_DEADLINES, "STATION__PKI__CHECK_EVERY": "0.2"}.items():
        monkeypatch.setenv(name, value)
    with Line.standing(tmp_path / "line", 3) as line:
        yield Standing(line)


def stop(standing: Standing, name: str) -> None:
    process = standing.line.processes[name]
    process.send_signal(signal.SIGTERM)
    process.wait()


def pki_tells(standing: Standing, seconds: int) -> None:
    """Restarts the PKI at its address, with a clock that differs from ours by that many seconds."""
    url = json.loads((standing.line.folder / "pki" / "ready.json").read_text())["url"]
    stop(standing, "pki")
    standing.line.start_pki(urlsplit(url).port or 0, f"--date-offset={seconds}")


def daemon_started(standing: Standing, last_entry: str | None = None) -> None:
    """Restarts the daemon, on a ledger whose newest entry perhaps has another clock's time."""
    stop(standing, "daemon")
    if last_entry is not None:
        with closing(sqlite3.connect(standing.line.folder / "ledger.sqlite")) as ledger, ledger:
            guards = ledger.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for name, _ in guards:  # the triggers forbid edits of events
                ledger.execute(f"DROP TRIGGER {name}")
            ledger.execute("UPDATE event SET at = ? WHERE id = (SELECT max(id) FROM event)", [last_entry])
            ledger.execute("UPDATE attempt SET started_at = ? WHERE id = (SELECT max(id) FROM attempt)", [last_entry])
            for _, sql in guards:
                ledger.execute(sql)
    standing.line.start_daemon()


def paused(standing: Standing) -> str:
    """The reason why the line is paused by its clock, once it is."""
    standing.until(lambda: standing.line.status().line.state == "paused")
    line = standing.line.status().line
    assert line.fault == "station.clock"
    return line.reason or ""


def refused_release(standing: Standing) -> str:
    done = standing.line.command("slots", "release", "--all")
    assert done.returncode != 0
    return done.stderr


def attempts(standing: Standing) -> int:
    return len([*LedgerReader(standing.line.folder / "ledger.sqlite").attempts()])


def made(standing: Standing) -> set[str]:
    """The manufacturing dates of all units."""
    return {unit.manufacturing_date for unit in LedgerReader(standing.line.folder / "ledger.sqlite").units()}


def today() -> set[str]:
    """Today's date, and the next if midnight passed since a unit was made."""
    now = datetime.now(UTC)
    return {f"{now:%Y%m%d}", f"{now - timedelta(minutes=5):%Y%m%d}"}


@pytest.mark.parametrize("offset", [A_YEAR, -A_YEAR, TWO_DAYS, -TWO_DAYS])
def test_a_clock_that_the_pki_contradicts_pauses_the_line_from_its_start(standing: Standing, offset: int) -> None:
    """The fault has both times, whichever is wrong; the line resumes once they agree, and no release overrides it."""
    pki_tells(standing, offset)
    daemon_started(standing)
    reason = paused(standing)
    ours, theirs = map(datetime.fromisoformat, re.findall(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", reason))
    assert abs((theirs - ours).total_seconds() - offset) < 60
    standing.bench("plug", "1")
    standing.wait(1, lambda slot: slot.state == "waiting")
    assert "the line stays paused" in refused_release(standing)
    assert (standing.slot(1).state, attempts(standing), made(standing)) == ("waiting", 0, set())
    pki_tells(standing, HALF_A_DAY)
    assert standing.wait(1, lambda slot: slot.verdict is not None).verdict == "pass"
    assert made(standing) <= today()


def test_a_clock_is_looked_at_when_an_attempt_begins(standing: Standing) -> None:
    """The PKI's answer for the previous board had another time. The waiting board is judged when the times agree."""
    pki_tells(standing, A_YEAR)
    standing.bench("plug", "1")
    assert standing.wait(1, lambda slot: slot.verdict is not None).verdict == "pass"
    standing.bench("plug", "2")
    assert "by the PKI" in paused(standing)
    assert attempts(standing) == 1
    pki_tells(standing, 0)
    assert standing.wait(2, lambda slot: slot.verdict is not None).verdict == "pass"


def test_a_clock_behind_the_ledger_waits_for_a_person_whom_the_pki_bears_out(standing: Standing) -> None:
    """A wrong clock wrote the last entry. The next attempt's journal has the release."""
    standing.bench("plug", "1")
    assert standing.wait(1, lambda slot: slot.verdict is not None).verdict == "pass"
    standing.bench("unplug", "1")
    daemon_started(standing, LATER)
    reason = paused(standing)
    assert "by the ledger's last entry" in reason
    assert LATER[:19] in reason
    standing.bench("plug", "2")
    standing.wait(2, lambda slot: slot.state == "waiting")
    assert attempts(standing) == 1

    pki_tells(standing, A_YEAR)
    standing.until(lambda: "by the PKI" in (standing.line.status().line.reason or ""))
    assert "the line stays paused" in refused_release(standing)
    pki_tells(standing, 0)
    standing.until(lambda: "by the ledger" in (standing.line.status().line.reason or ""))

    standing.station("slots", "release", "--all")
    uid = standing.wait(2, lambda slot: slot.verdict == "pass").uid
    unit = LedgerReader(standing.line.folder / "ledger.sqlite").unit(uid or "")
    assert unit is not None
    first = unit.attempts[0].journal[0].event
    assert isinstance(first, ClockAccepted)
    assert first.last_entry == "2199-01-01T00:00:00Z"
    now = datetime.now(UTC)
    assert abs(datetime.fromisoformat(first.pki) - now) < timedelta(minutes=5)
    assert "clock accepted" in standing.station("units", "show", str(uid)).lower()
    assert made(standing) <= today()
    daemon_started(standing)
    assert standing.line.status().line.state == "open"
    standing.bench("plug", "3")
    assert standing.wait(3, lambda slot: slot.verdict is not None).verdict == "pass"


def test_a_clock_a_little_behind_the_ledger_is_no_cause(standing: Standing) -> None:
    """Nor is a ledger whose last entry is old."""
    standing.bench("plug", "1")
    assert standing.wait(1, lambda slot: slot.verdict is not None).verdict == "pass"
    standing.bench("unplug", "1")
    for moment in (datetime.now(UTC) + timedelta(hours=12), datetime.now(UTC) - timedelta(days=900)):
        daemon_started(standing, moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
        assert standing.line.status().line.state == "open"
