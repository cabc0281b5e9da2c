# SPDX-License-Identifier: Apache-2.0
"""Copies of what a campaign has left, for one lie each."""

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from tests.campaign.evidence import Evidence
from tests.campaign.recorded import STATION
from tests.campaign.referee.boards import FACTORY_DATA, Board
from tests.campaign.referee.chain import COLUMNS, NUMBERED, Line, canonical, contents
from tests.campaign.referee.judge import contradictions
from virtual_bench.board.factory_data import MAGIC

Object = dict[str, object]


@dataclass(frozen=True)
class Spoiled:
    """One copy: files that no lie touches are links to the original."""

    folder: Path

    @classmethod
    def copy(cls, left: Path, folder: Path) -> "Spoiled":
        shutil.copytree(left, folder, copy_function=os.link)
        return cls(folder)

    def promises(self) -> set[str]:
        """The promises that the referee finds broken, without a search for secrets."""
        return {each.promise.value for each in contradictions(Evidence.read(self.folder))}

    def own(self, *parts: str) -> Path:
        """The path of a file that this copy may change; the file need not be there."""
        file = self.folder.joinpath(*parts)
        if file.exists():
            content = file.read_bytes()
            file.unlink()
            file.write_bytes(content)
        return file

    def ledger(self, *statements: str, station: str = STATION, chained: bool = True, **values: object) -> None:
        """Changes a station's ledger as somebody who knows SQL would, and the audit trail, too, who then writes that anew."""
        with closing(sqlite3.connect(self.own(station, "ledger.sqlite"))) as connection, connection:
            for (trigger,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
                connection.execute(f'DROP TRIGGER "{trigger}"')
            for statement in statements:
                assert connection.execute(statement, values).rowcount > 0, statement
            if chained:
                _write_anew(connection)

    def last_attempt(self, uid: str) -> int:
        attempts = Evidence.read(self.folder).ledgers[0].attempts
        return max(attempt.id for attempt in attempts if attempt.uid == uid)

    def lines(self, change: Callable[[list[Object]], list[Object]], *parts: str) -> None:
        """Changes a file of JSON lines."""
        file = self.own(*parts)
        before = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        after = change(before)
        file.write_text("".join(f"{json.dumps(each)}\n" for each in after), encoding="utf-8")

    def story(self, change: Callable[[dict[str, list[Object]]], None]) -> None:
        """Changes what the campaign says of itself."""
        file = self.own("campaign.json")
        told = json.loads(file.read_text(encoding="utf-8"))
        change(told)
        file.write_text(json.dumps(told), encoding="utf-8")

    def board(self, number: int) -> Board:
        return next(board for board in Evidence.read(self.folder).boards if board.number == number)

    def memory(self, number: int, name: str) -> Path:
        return self.own("bench", "boards", self.board(number).probe, name)

    def records(self, number: int, changed: dict[int, bytes], *, keep: bool = True) -> None:
        """Writes other records into a board's flash, beside those that it has or in their place."""
        records = {**(self.board(number).records if keep else {}), **changed}
        block = b"".join(
            tag.to_bytes(4, "little") + len(value).to_bytes(4, "little") + value for tag, value in records.items()
        )
        with self.memory(number, "qspi.bin").open("r+b") as qspi:
            qspi.seek(FACTORY_DATA)
            qspi.write(block + MAGIC.to_bytes(4, "little"))

    def append(self, content: bytes, *parts: str) -> None:
        with self.own(*parts).open("ab") as file:
            file.write(content)


def _write_anew(connection: sqlite3.Connection) -> None:
    """The chain of these rows, in which no computation finds a change; only a signed checkpoint of before would."""
    began, hashed = connection.execute("SELECT at, hash FROM chain WHERE incarnation = 0 AND number = 1").fetchone()
    connection.execute("DELETE FROM chain WHERE incarnation = 0 AND number > 1")
    events = connection.execute("SELECT id, at, type, attempt_id, body FROM event ORDER BY id").fetchall()
    lines = [Line(0, b"", number, at, kind, of, None, body) for number, at, kind, of, body in events]
    for table in COLUMNS:
        for key, content in contents(connection, table):
            fact = canonical({"content": content, "key": key, "table": table})
            lines.append(Line(0, b"", None, began, "RowRecorded", None, fact, None))
    for number, line in enumerate(lines, 2):
        hashed = hashlib.sha256(hashed + replace(line, number=number).text).digest()
        own = (line.at, line.type, line.fact) if line.event is None else (None, None, None)
        connection.execute("INSERT INTO chain VALUES (0, ?, ?, ?, ?, ?, ?)", (number, line.event, *own, hashed))
    for table in NUMBERED:
        connection.execute(
            f"UPDATE sqlite_sequence SET seq = (SELECT coalesce(max(id), 0) FROM {table}) WHERE name = ?",  # noqa: S608  of ours
            (table,),
        )
