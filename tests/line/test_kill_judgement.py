# SPDX-License-Identifier: Apache-2.0
"""The judgement after a kill finds each kind of lie, planted into a ledger or beside it."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.builders.line import Line
from tests.line.kill_judgement import JudgedLine
from tests.mes import receiver_process

UID, KEY = "ab" * 12, "cd" * 32
TABLES = """
CREATE TABLE attempt (id INTEGER PRIMARY KEY, verdict TEXT, fault TEXT);
CREATE TABLE event (id INTEGER PRIMARY KEY, attempt_id INTEGER, type TEXT, body TEXT);
CREATE TABLE identity (uid TEXT, serial_number TEXT, discriminator INTEGER);
CREATE TABLE pki_request (key TEXT, uid TEXT);
CREATE TABLE certificate (key TEXT, dac_serial_number TEXT);
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """One unit that has passed after a kill, with its certificate and the message of each verdict."""
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "requests.jsonl").write_text(f'{{"request": 1, "key_sha256": "{KEY}"}}\n')
    (tmp_path / "pki" / "issued.jsonl").write_text('{"request": 1, "serial_number": "0A"}\n')
    told(tmp_path, (1, "a"), (2, "b"), (2, "b"))
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)) as connection:
        connection.executescript(TABLES)
        connection.execute("INSERT INTO attempt VALUES (1, 'void', 'station.stopped'), (2, 'pass', NULL)")
        connection.execute("INSERT INTO event VALUES (1, 1, 'ProcedureChosen', '{\"procedure\": \"provision\"}')")
        connection.execute("INSERT INTO identity VALUES (?, 'LT1', 7)", (UID,))
        connection.execute("INSERT INTO pki_request VALUES (?, ?)", (KEY, UID))
        connection.execute("INSERT INTO certificate VALUES (?, '0A')", (KEY,))
        yield connection


@pytest.fixture
def line(tmp_path: Path, ledger: sqlite3.Connection) -> JudgedLine:
    return JudgedLine(Line(tmp_path, tmp_path), tmp_path, tmp_path, tmp_path / "runtime")


def told(folder: Path, *events: tuple[int, str]) -> None:
    lines = [json.dumps({"id": name, "data": {"attempt": number}}) for number, name in events]
    (folder / receiver_process.TAKEN).write_text("".join(f"{each}\n" for each in lines))


def test_what_is_right_is_told_as_it_is(line: JudgedLine) -> None:
    assert line._attempts(1) == ["provision void `station.stopped`", "pass"]  # noqa: SLF001  as the run asks
    assert line._compared(UID, [("LT1", 7)]) == "kept"  # noqa: SLF001
    assert line._compared(UID, []) == "none before"  # noqa: SLF001
    assert line._told(1) == (2, 3)  # noqa: SLF001
    line._check_left()  # noqa: SLF001


def test_an_attempt_without_verdict_is_found(line: JudgedLine, ledger: sqlite3.Connection) -> None:
    ledger.execute("UPDATE attempt SET verdict = NULL WHERE id = 1")
    with pytest.raises(AssertionError, match="no verdict"):
        line._attempts(1)  # noqa: SLF001


def test_another_identity_and_a_second_one_are_found(line: JudgedLine, ledger: sqlite3.Connection) -> None:
    with pytest.raises(AssertionError, match="the board was"):
        line._compared(UID, [("LT2", 7)])  # noqa: SLF001
    ledger.execute("INSERT INTO identity VALUES (?, 'LT2', 8)", (UID,))
    with pytest.raises(AssertionError, match="2 identities"):
        line._compared(UID, [("LT1", 7)])  # noqa: SLF001


def test_a_second_live_certificate_is_found(line: JudgedLine, ledger: sqlite3.Connection) -> None:
    ledger.execute("INSERT INTO certificate VALUES (?, '0B')", (KEY,))
    with pytest.raises(AssertionError, match="2 certificates"):
        line._certificates(UID)  # noqa: SLF001


def test_a_verdict_that_the_mes_lacks_or_has_under_two_ids_is_found(line: JudgedLine, tmp_path: Path) -> None:
    for events in ([(1, "a")], [(1, "a"), (2, "b"), (2, "c")]):
        told(tmp_path, *events)
        with pytest.raises(AssertionError):
            line._told(1)  # noqa: SLF001


def test_a_file_with_a_secret_that_is_left_is_found(line: JudgedLine, tmp_path: Path) -> None:
    (tmp_path / "runtime" / "station").mkdir(parents=True)
    (tmp_path / "runtime" / "station" / "0-factory-data.bin").touch()
    with pytest.raises(AssertionError, match="secrets are left"):
        line._check_left()  # noqa: SLF001
