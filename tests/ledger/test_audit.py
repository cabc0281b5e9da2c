# SPDX-License-Identifier: Apache-2.0
"""The chain that every ledger keeps: whatever something else than the station does to its rows is found and named."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from station.adapters.ledger import Ledger, checkpoints, recording, sqlite
from station.adapters.ledger.register import Register
from station.adapters.ledger.rotation import give_up, rotate
from station.adapters.ledger.station_keys import StationKeys
from station.adapters.ledger.verifying import Verified, findings
from station.domain.attempt import Failed
from station.domain.checkpoint import Signed
from station.domain.intervention import DecisionRefused, Deed, Intervention
from station.domain.target import UID
from tests.builders.bench import Secrets, begun, execute, passed, recognised, rows

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()


def verified(path: Path, copies: Sequence[tuple[str, bytes]] = ()) -> tuple[Verified, list[str]]:
    said = Verified()
    with sqlite.reading(path) as connection, connection.begin():
        return said, [str(each) for each in findings(connection, said, copies, [PUBLIC])]


def found(path: Path) -> list[str]:
    return verified(path)[1]


def without_triggers(path: Path) -> None:
    """What whoever changes the file can do, too."""
    for (name,) in rows(path, "SELECT name FROM sqlite_master WHERE type = 'trigger'"):
        execute(path, f"DROP TRIGGER {name}")


async def make(path: Path) -> None:
    """A ledger with two passed units, a failed one, and a person's deed."""
    async with Ledger.open(path, station="line-1", register=path.parent / "machine") as ledger:
        secrets = Secrets()
        for board in (1, 2):
            await passed(await begun(ledger, secrets), board=board)
        journal = await begun(ledger, secrets)
        await recognised(journal, board=3)
        await journal.finish(Failed("board.silent"))
        await ledger.record_interventions([Intervention(datetime.now(UTC), "erika", Deed.HOLD, "12", None, "cleaning")])


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "ledger.sqlite"
    with asyncio.Runner() as runner:
        runner.run(make(path))
    without_triggers(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # a copy of the one file is whole
    return path


@pytest.fixture
def made(template: Path, path: Path) -> Path:
    return Path(shutil.copy(template, path))


def test_an_untouched_ledger_is_sound(made: Path) -> None:
    said, wrong = verified(made)
    assert wrong == []
    assert (said.after_event, said.lines) == (
        0,
        rows(made, "SELECT max(number) FROM chain WHERE incarnation = 0")[0][0],
    )
    assert said.rows > 40


def test_any_column_of_any_covered_row_that_is_changed_is_named(made: Path) -> None:
    """Each column of each table with a row: one changed value, and only the changed row is blamed."""
    tried = 0
    for covered in recording.TABLES:
        given = rows(made, f'SELECT "{covered.key}" FROM "{covered.table}" ORDER BY 1 LIMIT 1')  # noqa: S608  of ours
        for column in covered.columns if given else ():
            copy = made.with_name(f"{covered.table}.{column}.sqlite")
            shutil.copy(made, copy)
            with closing(sqlite3.connect(copy)) as connection, connection:
                connection.execute("PRAGMA ignore_check_constraints = ON")
                connection.execute(
                    f'UPDATE "{covered.table}" SET "{column}" = CASE WHEN "{column}" IS NULL THEN 1 WHEN typeof("{column}")'  # noqa: S608  of ours
                    f' = \'integer\' THEN "{column}" + 1000 ELSE "{column}" || \'x\' END WHERE "{covered.key}" = ?',
                    given[0],
                )
            wrong = found(copy)
            assert any(f"{covered.table} {given[0][0]}" in each for each in wrong), (covered.table, column, wrong)
            copy.unlink()
            tried += 1
    assert tried > 30


DAMAGE: dict[str, tuple[str, str]] = {
    "an event's body": (
        "UPDATE event SET body = replace(body, 'recognise', 'recognisf') WHERE id = 1",
        "event 1 (StepStarted of attempt 1) was changed",
    ),
    "a blank in an event's body": (
        "UPDATE event SET body = replace(body, ': ', ':  ') WHERE id = 1",
        "event 1 (StepStarted of attempt 1) was changed",
    ),
    "an event's moment": (
        "UPDATE event SET at = '2026-01-01T00:00:00.000Z' WHERE id = 7",
        "event 7 (",
    ),
    "an event's attempt": ("UPDATE event SET attempt_id = 2 WHERE id = 7", "of attempt 2) was changed"),
    "an event removed": ("DELETE FROM event WHERE id = 7", "its event 7 was removed"),
    "an event inserted": (
        "INSERT INTO event (attempt_id, at, type, body) VALUES (3, '2026-01-01T00:00:00.000Z', 'Passed', '{}')",
        "(Passed of attempt 3) has no line",
    ),
    "an event inserted before the first": (
        "INSERT INTO event (id, attempt_id, at, type, body) VALUES (0, 3, '2026-01-01T00:00:00.000Z', 'Passed', '{}')",
        "event 0 (Passed of attempt 3) has no line",
    ),
    "an event's text as bytes": ("UPDATE event SET body = CAST(body AS BLOB) WHERE id = 5", "event 5 (StepStarted"),
    "an event's text as a number": ("UPDATE event SET body = 5 WHERE id = 5", "event 5 (StepStarted"),
    "an event's text that is none": ("UPDATE event SET type = CAST(x'ff' AS TEXT) WHERE id = 5", "event 5 ("),
    "two events exchanged": (
        "UPDATE event SET id = CASE id WHEN 7 THEN -8 WHEN 8 THEN -7 END WHERE id IN (7, 8)",
        "event 7",
    ),
    "a verdict": ("UPDATE attempt SET verdict = 'pass', fault = NULL WHERE id = 3", "attempt 3 (unit "),
    "an attempt removed": ("DELETE FROM attempt WHERE id = 2", "attempt 2 was removed"),
    "an identity inserted": (
        "INSERT INTO identity SELECT 99, '000000000000000000000099', lot, 99, 'S9', 9, x'00', '', '', state, 1 FROM identity LIMIT 1",
        "identity 99 (unit 000000000000000000000099) has no line",
    ),
    "an identity inserted before the first": (
        "INSERT INTO identity SELECT -1, '000000000000000000000099', lot, 99, 'S9', 9, x'00', '', '', state, 1 FROM identity LIMIT 1",
        "identity -1 (unit 000000000000000000000099) has no line",
    ),
    "digits as their bytes": (
        "UPDATE attempt SET uid = x'000000000000000000000001' WHERE id = 1",
        "attempt 1 (unit ",
    ),
    "a text that is none": ("UPDATE attempt SET slot = CAST(x'ff' AS TEXT) WHERE id = 1", "attempt 1 (unit "),
    "a trigger": (
        "CREATE TRIGGER better AFTER UPDATE ON attempt BEGIN UPDATE attempt SET verdict = 'pass' WHERE id = NEW.id; END",
        "trigger better of attempt is not the station's",
    ),
    "a view": ("CREATE VIEW attempts AS SELECT * FROM attempt", "view attempts"),
    "an event's line with a text": ("UPDATE chain SET type = 'Passed' WHERE event_id = 5", "line 8: it was changed"),
    "a hash that is text": ("UPDATE chain SET hash = 'x' WHERE number = 9", "the line after line 8 was changed"),
    "a hash that is a number": (
        "UPDATE chain SET hash = 1 << 40 WHERE number = 9",
        "the line after line 8 was changed",
    ),
    "a number that is text": ("UPDATE chain SET number = 'x' WHERE number = 9", "line 9 is missing before it"),
    "a key beyond all numbers": (
        "UPDATE chain SET body = replace(body, '\"key\":1', '\"key\":99999999999999999999') WHERE number = 2",
        "line 2: its RowRecorded cannot be read",
    ),
    "a base that is text": ("UPDATE chain_base SET hash = 'x' WHERE incarnation = 0", "beginning is missing or was"),
    "a checkpoint that is bytes": ("INSERT INTO checkpoint VALUES (5, x'ff')", "checkpoint of line 5: it is not JSON"),
    "a checkpoint that is a number": ("INSERT INTO checkpoint VALUES (5, 7)", "checkpoint of line 5: it does not"),
    "a line removed": ("DELETE FROM chain WHERE number = 9", "line 9 is missing before it"),
    "a line's hash": ("UPDATE chain SET hash = zeroblob(32) WHERE number = 9", "line 9: "),
    "a line's body": (
        "UPDATE chain SET body = replace(body, '\"key\":1', '\"key\":2') WHERE number = 2",
        "line 2: attempt 2 was changed",
    ),
    "the beginning": ("UPDATE chain_base SET number = 1 WHERE incarnation = 0", "beginning is missing or was changed"),
    "the first line": ("DELETE FROM chain WHERE number = 1", "first line is missing"),
}


@pytest.mark.parametrize(("statement", "named"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_named(made: Path, statement: str, named: str) -> None:
    execute(made, statement)
    if "CASE id" in statement:
        execute(made, "UPDATE event SET id = -id WHERE id < 0")
    wrong = found(made)
    assert any(named in each for each in wrong), wrong


def test_lines_that_changed_places_are_named(made: Path) -> None:
    (first,), (second,) = rows(made, "SELECT number FROM chain WHERE event_id IN (4, 5) ORDER BY number")
    execute(made, "UPDATE chain SET number = -1 WHERE number = ?", first)
    execute(made, "UPDATE chain SET number = ? WHERE number = ?", first, second)
    execute(made, "UPDATE chain SET number = ? WHERE number = -1", second)
    wrong = found(made)
    assert any(f"line {second}: event 4" in each and "another place" in each for each in wrong), wrong


def test_one_changed_hash_blames_one_line(made: Path) -> None:
    execute(made, "UPDATE chain SET hash = zeroblob(32) WHERE number = 9")
    assert [each.split(":")[0] for each in found(made)] == ["line 9"]


def cut(path: Path, line: int) -> None:
    """Removes all from this line on, as thoroughly as somebody can who does not have the audit's key."""
    ((event,),) = rows(path, "SELECT min(event_id) FROM chain WHERE number >= ?", line)
    told = [
        json.loads(f"{body}")
        for (body,) in rows(path, "SELECT body FROM chain WHERE event_id IS NULL AND number < ?", line)
    ]
    kept = {(each["table"], each["key"]) for each in told if "table" in each}
    execute(path, "DELETE FROM event WHERE id >= ?", event)
    execute(path, "DELETE FROM chain WHERE number >= ?", line)
    for covered in recording.TABLES:
        for (key,) in rows(path, f'SELECT "{covered.key}" FROM {covered.table}'):  # noqa: S608  of ours
            if (covered.table, key) not in kept:
                execute(path, f'DELETE FROM {covered.table} WHERE "{covered.key}" = ?', key)  # noqa: S608  of ours


def signed(path: Path) -> bytes:
    with sqlite.writing(path) as connection, connection.begin():
        recording.begin(connection)
        point = checkpoints.due(connection, "line-1", datetime(2026, 11, 26, tzinfo=UTC))
        assert point is not None
        signed = point.signed(KEY)
        checkpoints.record(connection, signed)
    return signed.line().encode()


def test_an_end_that_was_cut_off_is_named_by_what_the_tables_have_counted(made: Path) -> None:
    cut(made, 40)
    assert any("the end was cut off" in each for each in found(made))


async def test_a_thorough_cut_is_named_by_a_copied_checkpoint(made: Path) -> None:
    copy = signed(made)
    cut(made, 40)
    execute(made, "DELETE FROM checkpoint")
    for table in ("event", "attempt", "identity", "pki_request"):
        newest = f"SELECT coalesce(max(id), 0) FROM {table}"  # noqa: S608  of ours
        execute(made, f"UPDATE sqlite_sequence SET seq = ({newest}) WHERE name = '{table}'")  # noqa: S608  of ours
    _, wrong = verified(made, [("the copy", copy)])
    assert any(each.startswith("the copy: line") and "its end was cut off" in each for each in wrong), wrong


async def test_a_checkpoint_by_another_key_or_changed_is_named(made: Path) -> None:
    copy = signed(made)
    other = Signed.read(copy).checkpoint.signed(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    _, wrong = verified(made, [("one", copy.replace(b'"number":', b'"number":1')), ("two", other.line().encode())])
    assert [each.partition(":")[0] for each in wrong] == ["one", "two"]


async def test_a_ledger_made_anew_by_the_same_steps_is_not_the_one_that_was_signed(made: Path, tmp_path: Path) -> None:
    copy = signed(made)
    other = tmp_path / "other" / "ledger.sqlite"
    other.parent.mkdir()
    async with Ledger.open(other, station="line-2") as ledger:
        await passed(await begun(ledger, Secrets()), board=1)
    _, wrong = verified(other, [("the copy", copy)])
    assert len(wrong) == 1
    assert "the chain of another ledger" in wrong[0]


async def test_a_ledger_of_before_has_a_chain_from_its_next_opening_on(path: Path) -> None:
    """It says since when; what is older is not covered, and what comes is."""
    await make(path)
    without_triggers(path)
    execute(path, "DELETE FROM chain")
    execute(path, "DELETE FROM chain_base")
    ((last,),) = rows(path, "SELECT max(id) FROM event")
    async with Ledger.open(path, station="line-1", register=path.parent / "machine") as ledger:
        await passed(await begun(ledger, Secrets((4,))), board=4)
    said, wrong = verified(path)
    assert wrong == []
    assert said.after_event == last
    assert datetime.fromisoformat(said.since).tzinfo is not None
    execute(path, "UPDATE attempt SET verdict = 'fail', fault = 'x' WHERE id = 4")
    assert any("attempt 4" in each for each in found(path))


async def test_work_that_is_undone_leaves_no_line(ledger: Ledger, path: Path) -> None:
    journal = await begun(ledger, Secrets())
    await recognised(journal, board=1)
    with pytest.raises(DecisionRefused):
        await ledger.release_unit(UID(bytes(12)), account="", reason="")
    assert found(path) == []


async def test_a_checkpoint_is_made_only_where_something_was_written(ledger: Ledger, path: Path) -> None:
    now = datetime.now(UTC)
    first = await ledger.audit.checkpoint(KEY, now)
    assert first is not None
    assert await ledger.audit.checkpoint(KEY, now) is None
    await begun(ledger, Secrets())
    second = await ledger.audit.checkpoint(KEY, now)
    assert second is not None
    assert second.checkpoint.number > first.checkpoint.number
    assert found(path) == []


@pytest.mark.parametrize("lost", [False, True], ids=["a key replaced", "a lost key given up"])
async def test_the_deeds_of_commands_that_open_no_ledger_have_lines(path: Path, *, lost: bool) -> None:
    """`station secrets rotate` and `lost` write the file by themselves."""
    register = path.parent / "machine"
    async with Ledger.open(path, station="line-1", register=register) as ledger:
        await passed(await begun(ledger, Secrets()), board=1)
    known, keys = Register(register), StationKeys.of(register, path, None)
    if lost:
        for file in (register / "keys").iterdir():
            file.unlink()
        give_up(path, known, keys, who="anna", reason="the disk died")
    else:
        rotate(path, known, keys, who="anna", reason="")
    assert rows(path, "SELECT count(*) FROM secrets_deed") == [(1,)]
    assert found(path) == []
