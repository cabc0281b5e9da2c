# SPDX-License-Identifier: Apache-2.0
"""`station numbers` on a ledger of some thousand attempts, against SQL that shares nothing with the station's."""

import json
import random
import sqlite3
from collections import defaultdict
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pytest
from typer.testing import CliRunner

from station.adapters.ledger import Ledger, figures, sqlite
from station.adapters.ledger.selection import Selection, numbers
from station.cli import app
from station.domain.numbers import Rate
from tests.builders.bench import rows

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
TUESDAY = MONDAY + timedelta(days=1)
PERIOD = Selection(since=TUESDAY, until=TUESDAY + timedelta(days=1))
ASKED = ("2026-11-24T00:00:00.000Z", "2026-11-25T00:00:00.000Z")
LIMITS = {"recognise": 1.5, "confirm": 1.2}
FAULTS = ("board.silent", "flash.mismatch", "readback.verifier")


@pytest.fixture
async def three_days(path: Path) -> Path:
    """Three days of sixteen slots, in which slot 4 fails a quarter of its boards, and some boards come again."""
    async with Ledger.open(path, station="line-1"):
        pass
    dice = random.Random(7)
    with closing(sqlite3.connect(path)) as connection, connection:
        for number in range(1, 3001):
            began = MONDAY + timedelta(seconds=86.4 * number)
            _write(connection, dice, number, began)
    with sqlite.writing(path) as written, written.begin():
        figures.rebuild(written)
    return path


def _write(connection: sqlite3.Connection, dice: random.Random, number: int, began: datetime) -> None:
    slot = dice.randrange(1, 17)
    verdict = dice.choices(
        ["pass", "fail", "void", None], [0.75 if slot == 4 else 0.96, 0.25 if slot == 4 else 0.02, 0.02, 0.01]
    )[0]
    fault = {"fail": dice.choice(FAULTS), "void": "board.removed"}.get(verdict or "")
    uid = f"{dice.randrange(1, 2200):024x}" if verdict != "void" or dice.random() < 0.5 else None
    steps = {name: round(dice.lognormvariate(0, 0.2), 3) for name in ("recognise", "flash_data", "confirm")}
    seconds = round(sum(steps.values()), 3)
    _row(
        connection,
        "attempt",
        id=number,
        station="line-1",
        slot=str(slot),
        probe=f"066A{slot:02}",
        tty="/dev/ttyACM0",
        recipe="lighting",
        recipe_sha256="5e" * 32,
        images="{}",
        lot=dice.choice(["LOT-1", "LOT-2"]),
        started_at=_iso(began),
        uid=uid,
        verdict=verdict,
        fault=fault,
        ended_at=None if verdict is None else _iso(began + timedelta(seconds=seconds)),
        seconds=seconds,
        steps=json.dumps(steps),
        laboratory=dice.random() < 0.03,
    )
    for step in ("recognise", dice.choice(["flash_data", "confirm"])):
        _row(
            connection,
            "event",
            attempt_id=number,
            at=_iso(began),
            type="StepStarted",
            body=json.dumps({"step": step}),
        )


def _row(connection: sqlite3.Connection, table: str, **values: object) -> None:
    holes = ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({holes})", tuple(values.values()))  # noqa: S608  our names


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


FIRST_PASS = """
    WITH judged AS (
        SELECT started_at, verdict, row_number() OVER (PARTITION BY uid ORDER BY id) AS nth
        FROM attempt WHERE verdict <> 'void' AND laboratory = 0 AND uid IS NOT NULL
    )
    SELECT total(verdict = 'pass'), count(*) FROM judged WHERE nth = 1 AND started_at >= ? AND started_at < ?
"""
IN_PERIOD = "laboratory = 0 AND started_at >= ? AND started_at < ?"


def test_the_yield_is_that_of_an_independent_query(three_days: Path) -> None:
    """A board counts on the day of its first judged attempt of all."""
    ((passed, judged),) = rows(three_days, FIRST_PASS, *ASKED)
    found = numbers(three_days, PERIOD)
    assert (found.first_pass.hits, found.first_pass.of) == (passed, judged)
    assert 0 < found.first_pass.hits < found.first_pass.of < found.attempts


def test_the_counts_are_those_of_an_independent_query(three_days: Path) -> None:
    """By verdict, and of the laboratory."""
    counted = rows(three_days, f"SELECT verdict, count(*) FROM attempt WHERE {IN_PERIOD} GROUP BY 1", *ASKED)  # noqa: S608
    laboratory = rows(three_days, f"SELECT count(*) FROM attempt WHERE {IN_PERIOD.replace('0', '1', 1)}", *ASKED)  # noqa: S608
    found = numbers(three_days, PERIOD)
    wanted = {"pass": found.passed, "fail": found.failed, "void": found.void, None: found.running}
    assert sorted(counted, key=str) == sorted(wanted.items(), key=str)
    assert laboratory == [(found.laboratory,)]
    assert all(wanted.values())
    assert found.laboratory


@pytest.mark.parametrize("by", ["fault", "slot", "probe", "step"])
def test_the_pareto_is_that_of_an_independent_query(three_days: Path, by: str) -> None:
    """Fails, voids and judged attempts of each name; slots 10 to 16 stand after 9 where the counts are equal."""
    last = "(SELECT json_extract(body, '$.step') FROM event WHERE attempt_id = attempt.id ORDER BY id DESC LIMIT 1)"
    query = f"""
        SELECT {last if by == "step" else by} AS name, sum(verdict = 'fail'), sum(verdict = 'void'), sum(verdict <> 'void')
        FROM attempt WHERE {IN_PERIOD} AND verdict IS NOT NULL GROUP BY name
    """  # noqa: S608  our names
    wanted = {name: counts for name, *counts in rows(three_days, query, *ASKED) if any(counts[:2])}
    bars = getattr(numbers(three_days, PERIOD), f"by_{by}")
    assert {bar.name: [bar.fails.hits, bar.void] for bar in bars} == {name: each[:2] for name, each in wanted.items()}
    if by in {"slot", "probe"}:
        assert {bar.name: bar.fails.of for bar in bars} == {name: each[2] for name, each in wanted.items()}
        assert [bar.name for bar in bars if bar.not_chance] == [{"slot": "4", "probe": "066A04"}[by]]
    assert bars
    assert [bar.fails.hits for bar in bars] == sorted((bar.fails.hits for bar in bars), reverse=True)
    assert bars[-1].cumulative == pytest.approx(1)


def test_the_seconds_are_those_of_an_independent_query(three_days: Path) -> None:
    """Count, median, limit and the two capabilities of one step, computed by SQLite's window functions."""
    query = f"""
        WITH value AS (
            SELECT json_extract(steps, '$.confirm') AS s, row_number() OVER (ORDER BY id) AS nth
            FROM attempt WHERE verdict = 'pass' AND {IN_PERIOD}
        ), gap AS (SELECT abs(s - lag(s) OVER (ORDER BY nth)) AS r FROM value), mean AS (SELECT avg(s) AS m FROM value)
        SELECT (SELECT count(*) FROM value), (SELECT sum(s > 1.2) FROM value),
               (1.2 - m) / (3 * (SELECT avg(r) FROM gap) / 1.128),
               (1.2 - m) / (3 * sqrt((SELECT sum((s - m) * (s - m)) / (count(*) - 1) FROM value)))
        FROM mean
    """  # noqa: S608  our names
    ((count, over, cpk, ppk),) = rows(three_days, query, *ASKED)
    found = numbers(three_days, PERIOD, LIMITS).steps["confirm"]
    assert (found.count, found.over, found.limit) == (count, over, 1.2)
    assert (found.cpk, found.ppk) == pytest.approx((cpk, ppk))
    values = [
        float(str(value))
        for (value,) in rows(
            three_days,
            f"SELECT json_extract(steps, '$.confirm') FROM attempt WHERE verdict = 'pass' AND {IN_PERIOD}",  # noqa: S608
            *ASKED,
        )
    ]
    assert found.median == median(values)


def test_the_hours_are_those_of_an_independent_query(three_days: Path) -> None:
    """Each hour's attempts by verdict."""
    query = f"""
        SELECT substr(started_at, 1, 13), sum(verdict = 'pass'), sum(verdict = 'fail'), sum(verdict = 'void')
        FROM attempt WHERE {IN_PERIOD} AND verdict IS NOT NULL GROUP BY 1 ORDER BY 1
    """  # noqa: S608  our names
    found = numbers(three_days, PERIOD)
    assert [(f"{each.begin:%Y-%m-%dT%H}", each.passed, each.failed, each.void) for each in found.hours] == rows(
        three_days, query, *ASKED
    )
    units = rows(three_days, f"SELECT count(DISTINCT uid) FROM attempt WHERE verdict = 'pass' AND {IN_PERIOD}", *ASKED)  # noqa: S608
    assert units == [(found.units,)] == [(sum(each.units for each in found.hours),)]


def test_the_command_shows_the_same_figures(three_days: Path) -> None:
    """Terminal and JSON have the figures of the domain, and mark the slot that fails beyond chance."""
    found = numbers(three_days, PERIOD)
    asked = ["numbers", "--since", "2026-11-24T00:00Z", "--until", "2026-11-25T00:00Z", "--ledger", str(three_days)]
    answer = json.loads(CliRunner().invoke(app, [*asked, "--json"]).output)
    assert answer["first_pass_interval"] == pytest.approx(found.first_pass.interval)
    assert {row["slot"]: (row["fail"], row["not_chance"]) for row in answer["by"]["slot"]} == {
        bar.name: (bar.fails.hits, bar.not_chance) for bar in found.by_slot
    }
    assert list(answer["steps"]) == list(found.steps)
    assert answer["steps"]["confirm"]["median"] == found.steps["confirm"].median
    assert answer["hours"][0]["begin"] == "2026-11-24T00:00:00.000Z"
    text = CliRunner().invoke(app, asked).output
    assert f"first-pass yield {found.first_pass.hits} of {found.first_pass.of} boards" in text
    (marked,) = (line for line in text.splitlines() if "not chance" in line and line.split()[0] == "4")
    assert f" of {found.by_slot[0].fails.of} " in marked


def test_one_slot_may_be_asked_for(three_days: Path) -> None:
    """Its fails by fault add up to its own; with nothing elsewhere there is no mark."""
    whole, one = numbers(three_days, PERIOD), numbers(three_days, Selection(PERIOD.since, PERIOD.until, slot="4"))
    assert whole.by_slot[0].fails == one.by_slot[0].fails == Rate(one.failed, one.passed + one.failed)
    assert sum(bar.fails.hits for bar in one.by_fault) == one.failed
    assert not one.by_slot[0].not_chance
    by_verdict: defaultdict[object, int] = defaultdict(int)
    for verdict, count in rows(
        three_days,
        f"SELECT verdict, count(*) FROM attempt WHERE slot = '4' AND {IN_PERIOD} GROUP BY 1",  # noqa: S608
        *ASKED,
    ):
        by_verdict[verdict] = int(str(count))
    assert (one.passed, one.failed, one.void) == (by_verdict["pass"], by_verdict["fail"], by_verdict["void"])
