# SPDX-License-Identifier: Apache-2.0
"""Statements that SQLite's driver carries out: the types, the errors and the transactions are SQLAlchemy's."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from station.adapters.ledger.driver import Prepared, Savepoint
from station.adapters.ledger.tables import Instant

NOTES = Table(
    "note",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("text", String, unique=True),
    Column("at", Instant),
    Column("seen", Boolean),
)
AT = datetime(2026, 11, 23, 8, 15, 30, 250_000, tzinfo=UTC)
NEW = Prepared(insert(NOTES).returning(NOTES.c.id))
ADDED = Prepared(insert(NOTES))
SEEN = Prepared(update(NOTES).where(NOTES.c.id == bindparam("number")))
FOUND = Prepared(select(NOTES).where(NOTES.c.text == bindparam("of_text"), NOTES.c.id >= 1).limit(1))


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        NOTES.create(connection)
        connection.commit()
        yield connection
    engine.dispose()


def note(connection: Connection, text: str) -> int:
    return NEW.one(int, connection, {"text": text, "at": AT, "seen": False})


def test_a_row_has_the_columns_types(connection: Connection) -> None:
    SEEN.run(connection, {"number": note(connection, "one"), "seen": True})
    row = FOUND.first(connection, {"of_text": "one"})
    assert row is not None
    assert (row.id, row.text, row.at, row.seen) == (1, "one", AT, True)
    assert connection.execute(select(NOTES)).one() == (1, "one", AT, True)
    assert FOUND.first(connection, {"of_text": "two"}) is None


def test_a_broken_constraint_is_sqlalchemys_error_without_the_values(connection: Connection) -> None:
    """Values may be secret."""
    note(connection, "a passcode")
    with pytest.raises(IntegrityError) as broken:
        note(connection, "a passcode")
    assert "passcode" not in str(broken.value)


def test_a_statement_begins_a_transaction_as_sqlalchemys_do(connection: Connection) -> None:
    note(connection, "one")
    connection.rollback()
    assert FOUND.first(connection, {"of_text": "one"}) is None


def test_a_savepoint_undoes_its_own_statements_only(connection: Connection) -> None:
    note(connection, "before")
    with pytest.raises(ZeroDivisionError), Savepoint.around(connection):
        with Savepoint.around(connection):
            note(connection, "within")
        raise ZeroDivisionError
    with Savepoint.around(connection):
        note(connection, "after")
    connection.commit()
    assert list(connection.scalars(select(NOTES.c.text).order_by(NOTES.c.id))) == ["before", "after"]


def test_of_many_rows_one_that_is_refused_has_its_error(connection: Connection) -> None:
    """It is SQLAlchemy's, and does not show the rows; whoever began the transaction undoes the others."""
    rows = [{"text": text, "at": AT, "seen": False} for text in ("one", "two", "one", "three")]
    with pytest.raises(IntegrityError) as raised:
        ADDED.run_many(connection, rows)
    assert "two" not in str(raised.value)
    connection.rollback()
    assert connection.execute(select(NOTES)).all() == []
    connection.rollback()
    ADDED.run_many(connection, rows[:2])
    ADDED.run_many(connection, [])
    connection.commit()
    assert [row.text for row in connection.execute(select(NOTES))] == ["one", "two"]
