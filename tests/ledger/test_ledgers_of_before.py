# SPDX-License-Identifier: Apache-2.0
"""This version reads, continues and rebuilds ledgers that earlier versions wrote (`tests/vectors/ledgers`)."""

import csv
import io
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.adapters.ledger.interventions import history
from station.adapters.ledger.reader import AttemptStory, LedgerReader, Totals
from station.adapters.ledger.register import Register, default_folder
from station.adapters.ledger.restoration import restore
from station.domain.attempt import VERDICTS
from station.domain.intervention import Deed
from station.domain.transitions import replay
from tests.builders.bench import Secrets, begun, passed, recognised, rows, target
from tests.builders.commands import station
from tests.builders.deeds import by_anna

VECTORS = Path(__file__).parents[1] / "vectors" / "ledgers"
STATION = "demo-line"
TOTALS = {
    "0001-demo": Totals(12, passed=2, failed=5, void=5, units=12, judged=7, passed_first=2, laboratory=0),
    "0001-laboratory": Totals(2, passed=2, failed=0, void=0, units=2, judged=0, passed_first=0, laboratory=2),
    "0004-demo": Totals(12, passed=2, failed=5, void=5, units=12, judged=7, passed_first=2, laboratory=0),
    "0004-coprocessor": Totals(2, passed=2, failed=0, void=0, units=2, judged=2, passed_first=2, laboratory=0),
}
SUMS = ("attempt", "identity", "totals", "figure")


@pytest.fixture(params=TOTALS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def journal(name: str, path: Path) -> list[tuple[object, ...]]:
    """Restores the old ledger at `path` as its version left it, and returns its journal."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript((VECTORS / f"{name}.sql").read_text(encoding="utf-8"))
    path.with_name(f"{path.name}.key").write_bytes(bytes.fromhex((VECTORS / f"{name}.key").read_text(encoding="ascii")))
    return rows(path, "SELECT attempt_id, at, type, body FROM event ORDER BY id")


@pytest.fixture
async def old(name: str, path: Path, journal: Sequence[object]) -> Path:
    """The old ledger, migrated by opening it once."""
    assert journal
    if not name.startswith("0001"):  # later versions record the ledger's place
        restore(path, STATION, Register(default_folder()), skip=1, new_key=False)
    async with Ledger.open(path, station=STATION):
        pass
    return path


def stories(path: Path) -> list[AttemptStory]:
    """Every attempt with its events."""
    reader = LedgerReader(path)
    uids = {attempt.uid for attempt in reader.attempts() if attempt.uid}
    units = [reader.unit(uid) for uid in sorted(uids)]
    return [story for unit in units if unit is not None for story in unit.attempts]


def tables(path: Path, *names: str) -> dict[str, list[tuple[object, ...]]]:
    return {name: rows(path, f"SELECT * FROM {name} ORDER BY id") for name in names}  # noqa: S608  names of ours


def test_migrations_leave_the_journal_as_it_was(journal: list[tuple[object, ...]], old: Path, name: str) -> None:
    assert rows(old, "SELECT attempt_id, at, type, body FROM event ORDER BY id") == journal
    assert LedgerReader(old).totals() == TOTALS[name]


def test_every_event_is_read_and_each_attempts_events_add_up_to_its_row(
    journal: list[tuple[object, ...]], old: Path, name: str
) -> None:
    told = stories(old)
    assert len(told) == TOTALS[name].attempts
    assert sum(len(story.journal) for story in told) == len(journal)
    for story in told:
        attempt, row = replay(entry.event for entry in story.journal), story.summary
        assert str(attempt.uid) == row.uid
        assert VERDICTS[attempt.phase] == row.verdict
        assert attempt.fault == row.fault
        assert attempt.dac_serial_number == row.dac_serial_number
        assert {phase.value: seconds for phase, seconds in attempt.seconds.items()} == row.steps


async def test_rebuilding_changes_nothing(old: Path) -> None:
    before = tables(old, *SUMS)
    async with Ledger.open(old, station=STATION) as ledger:
        await ledger.rebuild()
    assert tables(old, *SUMS) == before


def test_units_are_listed_shown_and_exported(old: Path, name: str) -> None:
    listed = station("units", "list", "--ledger", old).stdout
    exported = list(csv.DictReader(io.StringIO(station("units", "export", "--ledger", old).stdout)))
    lines = station("units", "export", "--format", "jsonl", "--ledger", old).stdout.splitlines()
    assert [json.loads(line)["uid"] for line in lines] == [unit["uid"] for unit in exported]
    assert len(exported) == TOTALS[name].units
    for unit in exported:
        assert unit["serial_number"] in listed
        assert unit["serial_number"] in station("units", "show", unit["uid"], "--ledger", old).stdout
        story = json.loads(station("units", "show", unit["serial_number"], "--json", "--ledger", old).stdout)
        assert unit["uid"] in json.dumps(story)


async def test_what_people_do_is_recorded_from_now_on(old: Path) -> None:
    assert list(history(old)) == []
    async with Ledger.open(old, station=STATION) as ledger:
        await ledger.record_interventions([by_anna(Deed.HOLD, "4")])
    assert [(each.who, each.deed, each.slot, each.reason) for each in history(old)] == [
        ("anna", "hold", "4", "pins are dirty")
    ]


async def test_a_known_board_keeps_its_identity(old: Path) -> None:
    uid, serial_number, number = rows(old, "SELECT uid, serial_number, id FROM identity ORDER BY id LIMIT 1")[0]
    assert isinstance(uid, str)
    async with Ledger.open(old, station=STATION) as ledger:
        journal = await begun(ledger, Secrets())
        identity = await recognised(journal, int(uid, 16))
    assert (identity.serial_number, identity.ordinal) == (serial_number, number)


async def test_a_new_board_passes_with_an_identity_of_its_own(old: Path, name: str) -> None:
    known = rows(old, "SELECT serial_number FROM identity")
    async with Ledger.open(old, station=STATION) as ledger:
        identity = await passed(await begun(ledger, Secrets()), board=99, dac_serial_number="99")
    assert (identity.serial_number,) not in known
    unit = LedgerReader(old).unit(str(target(99).uid))
    assert unit is not None
    assert [story.summary.verdict for story in unit.attempts] == ["pass"]
    assert LedgerReader(old).totals().attempts == TOTALS[name].attempts + 1


def test_its_audit_trail_is_sound_from_the_first_opening_on(old: Path) -> None:
    done = station("audit", "verify", "--ledger", old)
    assert (done.exit_code, "older rows are not covered" in done.stdout) == (0, True), done.output
