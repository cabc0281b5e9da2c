# SPDX-License-Identifier: Apache-2.0
"""Statements that every attempt needs, compiled once by SQLAlchemy and carried out by SQLite's driver.

SQLAlchemy's own way to a row and back takes ten times as long as the row, and an attempt takes about eighty of them.
Tables, types and exceptions are SQLAlchemy's here, too.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Self, TypeVar

from sqlalchemy import Connection, Insert, Select, Update
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from station.adapters.ledger import chain, soundness

T = TypeVar("T")

_DIALECT = sqlite.dialect()

Values = Mapping[str, object]
Statement = Select[*tuple[object, ...]] | Insert | Update
Conversion = Callable[[object], object] | None
NONE: Values = {}
BEGIN_TO_WRITE = "BEGIN IMMEDIATE"


class Prepared:
    """A statement that is built once, and compiled at its first use for the names of its values, which are always the same."""

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._compiled: _Compiled | None = None

    @cached_property
    def _columns(self) -> list[tuple[str, Conversion]]:
        return [(str(column.key), _from_driver(column.type)) for column in self._statement.exported_columns]

    def run(self, connection: Connection, values: Values) -> sqlite3.Cursor:
        compiled = self._compiled or self._compile(values)
        return execute(connection, compiled.text, compiled.bound(values))

    def run_many(self, connection: Connection, rows: Sequence[Values]) -> None:
        if rows:
            compiled = self._compiled or self._compile(rows[0])
            execute_many(connection, compiled.text, [compiled.bound(row) for row in rows])

    def first(self, connection: Connection, values: Values = NONE) -> SimpleNamespace | None:
        """The first row, its columns by their names; None if there is none."""
        row: tuple[object, ...] | None = self.run(connection, values).fetchone()
        if row is None:
            return None
        return SimpleNamespace(**{name: value for (name, _), value in zip(self._columns, self._read(row), strict=True)})

    def all(self, connection: Connection, values: Values = NONE) -> list[SimpleNamespace]:
        """All rows, as `first` has one."""
        names = [name for name, _ in self._columns]
        rows = self.run(connection, values).fetchall()
        return [SimpleNamespace(**dict(zip(names, self._read(row), strict=True))) for row in rows]

    def scalar(self, kind: type[T], connection: Connection, values: Values = NONE) -> T | None:
        """The first column of the first row; None if that is NULL, or if there is no row."""
        row: tuple[object, ...] | None = self.run(connection, values).fetchone()
        value = None if row is None else next(self._read(row))
        assert value is None or isinstance(value, kind)
        return value

    def one(self, kind: type[T], connection: Connection, values: Values = NONE) -> T:
        """The first column of the only row."""
        value = self.scalar(kind, connection, values)
        assert value is not None
        return value

    def _read(self, row: tuple[object, ...]) -> Iterator[object]:
        return (value if read is None else read(value) for value, (_, read) in zip(row, self._columns, strict=True))

    def _compile(self, values: Values) -> "_Compiled":
        self._compiled = _Compiled.of(self._statement, list(values))
        return self._compiled


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement's text, and its parameters in their order with the values of those that it names itself."""

    text: str
    parameters: Sequence[tuple[str, Conversion]]
    own: Values

    @classmethod
    def of(cls, statement: Statement, names: list[str]) -> Self:
        compiled = statement.compile(dialect=_DIALECT, column_keys=names)
        assert isinstance(compiled, SQLCompiler)
        text, binds = str(compiled), compiled.binds
        assert "[POSTCOMPILE_" not in text, "the text of an IN with a list depends on the list"
        parameters = [(name, _to_driver(binds[name].type)) for name in compiled.positiontup or ()]
        return cls(text, parameters, {name: bind.value for name, bind in binds.items() if not bind.required})

    def bound(self, values: Values) -> list[object]:
        """What the driver takes."""
        given = {**self.own, **values} if self.own else values
        return [given[name] if convert is None else convert(given[name]) for name, convert in self.parameters]


class Transaction:
    """A transaction of the driver, for which SQLAlchemy takes as long as for a small unit of work. What SQLAlchemy itself executes joins it."""

    def __init__(self, connection: Connection, before_commit: Callable[[Connection], None]) -> None:
        self._connection = connection
        self._before_commit = before_commit
        execute_alone(connection, BEGIN_TO_WRITE)

    def commit(self) -> None:
        if (joined := self._connection.get_transaction()) is not None:
            joined.commit()
        else:
            self._before_commit(self._connection)
            self._connection.dialect.do_commit(self._connection.connection)

    def rollback(self) -> None:
        if (joined := self._connection.get_transaction()) is not None:
            joined.rollback()
        else:
            self._connection.dialect.do_rollback(self._connection.connection)


class Savepoint:
    """A part of a transaction that can be undone alone. SQLAlchemy would compile two statements for each, as it numbers them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        execute(connection, "SAVEPOINT part")

    @classmethod
    @contextmanager
    def around(cls, connection: Connection) -> Iterator[Self]:
        """Undoes the block's statements if it raises."""
        part = cls(connection)
        try:
            yield part
        except BaseException as exc:
            if not (isinstance(exc, Exception) and soundness.is_databases_own(exc)):  # else no transaction may be left
                part.rollback()
            raise
        part.commit()

    def commit(self) -> None:
        execute(self._connection, "RELEASE part")

    def rollback(self) -> None:
        execute(self._connection, "ROLLBACK TO part")
        self.commit()


def execute(connection: Connection, text: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
    """Carries out a statement in the connection's transaction, which it begins if there is none; raises SQLAlchemy's errors."""
    return _executed(_in_transaction(connection), text, values)


def execute_many(connection: Connection, text: str, rows: Sequence[Sequence[object]]) -> None:
    """The same, once for each of the rows of values."""
    raw = _in_transaction(connection)
    try:
        raw.executemany(text, rows)
    except sqlite3.Error as exc:
        raise _as_sqlalchemys(exc, text) from exc


def execute_alone(connection: Connection, text: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
    """The same, and begins nothing."""
    return _executed(chain.driver(connection), text, values)


def _in_transaction(connection: Connection) -> sqlite3.Connection:
    raw = chain.driver(connection)
    if not raw.in_transaction:
        connection.begin()
    return raw


def _executed(raw: sqlite3.Connection, text: str, values: Sequence[object]) -> sqlite3.Cursor:
    try:
        return raw.execute(text, values)
    except sqlite3.Error as exc:
        raise _as_sqlalchemys(exc, text) from exc


def _as_sqlalchemys(exc: sqlite3.Error, text: str) -> BaseException:
    """Without the statement's parameters, which may be secret."""
    return DBAPIError.instance(text, None, exc, sqlite3.Error, hide_parameters=True, dialect=_DIALECT)


def _to_driver(kind: TypeEngine[object]) -> Conversion:
    return kind.dialect_impl(_DIALECT).bind_processor(_DIALECT)


def _from_driver(kind: TypeEngine[object]) -> Conversion:
    return kind.dialect_impl(_DIALECT).result_processor(_DIALECT, None)
