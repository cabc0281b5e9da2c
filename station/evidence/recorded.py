# SPDX-License-Identifier: Apache-2.0
"""Rows of the ledger as the chain has them: whether the members of a bundle say the same. Pure.

A line of the chain has the SHA-256 of a row's content at that time. The newest line about a row comes with the content itself.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from station.domain import recorded_row
from station.evidence import rows
from station.evidence.form import NotABundle, canonical
from station.evidence.rows import Row

LINE, BEGUN = "RowRecorded", "ChainBegun"
ATTEMPT, IDENTITY, REQUEST, CERTIFICATE, LOT = "attempt", "identity", "pki_request", "certificate", "lot"
_BEGUN = tuple(name for name in recorded_row.ATTEMPT_BEGUN if name != "tty")
COMPARED: Mapping[str, tuple[str, ...]] = {
    ATTEMPT: tuple(name for name in recorded_row.ATTEMPT if name not in {"tty", "steps"}),
    IDENTITY: ("uid", "serial_number", "lot_index", "manufacturing_date", "reserved_at", "state"),
    REQUEST: ("key", "uid", "submitted_at", "outcome", "reason", "answered_at", "due_at", "excused", "closed"),
    CERTIFICATE: recorded_row.CERTIFICATE,
    LOT: ("work_order", "recipe", "recipe_sha256", "planned", "pattern", "first", "size"),
}
"""What a bundle tells of a row with a number, and the chain has."""
_OF_UNIT = ("uid", "at", "account", "type", "reason", "body")
DEEDS: Mapping[str, tuple[str, ...]] = {
    "lot_event": ("at", "account", "type", "reason", "body"),
    "unit_event": _OF_UNIT,
    "sample_event": _OF_UNIT,
    "unit_release": ("uid", "at", "account", "reason"),
    "secrets_deed": ("uid", "at", "who", "deed", "units", "recipient", "reason"),
    "spare_certificate": ("request_id", "key", "serial_number", "found_at", "reason", "content", "closed"),
    "label_event": ("at", "station", "uid", "type", "copy", "who", "reason", "slot", "other"),
}
"""The same of rows whose numbers a bundle does not tell."""
COLUMNS: Mapping[str, tuple[str, ...]] = {
    ATTEMPT: recorded_row.ATTEMPT,
    IDENTITY: recorded_row.IDENTITY,
    REQUEST: recorded_row.REQUEST,
    CERTIFICATE: recorded_row.CERTIFICATE,
}
"""The order of the values that are hashed; an attempt without a verdict has the first of them only."""
_HASHED = frozenset({"dac", "pai"})  # a certificate is compared by its SHA-256
_FLAGS = frozenset({"closed", "excused", "laboratory"})
_JSON = frozenset({"images", "body"})

Key = tuple[str, int | str]


@dataclass(slots=True)
class Recorded:
    """By table and key a digest of what is compared; None where the newest line has another content than the ledger had."""

    contents: dict[Key, bytes | None] = field(default_factory=dict)
    after: Row = field(default_factory=dict)
    """By table the last row from before the chain, as its first line has it; empty before that line."""

    def take(self, body: Row, content: object) -> Iterator[str]:
        """Takes a line about a row. Yields a sentence if the content that comes with it is another; raises `NotABundle`."""
        table, key, hashed = rows.text(body, "table"), body.get("key"), rows.text(body, "content")
        if not isinstance(key, int | str):
            raise NotABundle("its row has no key")
        if not hashed:  # the station itself has removed the row
            self.contents.pop((table, key), None)
            return
        if content is None:
            self.contents[table, key] = None
            return
        told = _pairs(content)
        if tuple(told) != COLUMNS.get(table, tuple(told))[: len(told)]:
            raise NotABundle("its row has other columns than the line records")
        if recorded_row.digest(list(told.values())) != hashed:
            yield f"row {key} of {table} is not the one that the line records"
        values = {name: _hashed(value) if name in _HASHED else value for name, value in told.items()}
        self.contents[table, key] = said(table, values, begun="verdict" not in told)

    def contradictions(self) -> Iterator[str]:
        """A sentence for each row that was changed in the ledger without a line."""
        for (table, key), content in self.contents.items():
            if content is None:
                yield f"row {key} of {table} was changed in the ledger, or removed, since the chain's newest line about it"

    def others(self, table: str, told: Mapping[int, bytes]) -> Iterator[str]:
        """A sentence for each row of a table that the chain has and a member has not."""
        for (of, key), content in self.contents.items():
            if of == table and content is not None and key not in told:
                yield f"row {key} of {table} is in the chain, and not here"

    def deeds(self, table: str, told: Counter[bytes]) -> Iterator[str]:
        """A sentence if a member does not tell the same rows of such a table."""
        chain = Counter(each for (of, _), each in self.contents.items() if of == table and each is not None)
        if missing := (chain - told).total():
            yield f"{missing} of the chain's rows of {table} are not here, or are told otherwise"
        elif self.after.get(table) == 0 and (more := (told - chain).total()):
            yield f"no line of the chain is about {more} of the rows of {table} here"

    def difference(self, table: str, key: int | str, said: bytes, *, whole: bool) -> str | None:
        """A sentence if a member says something else than the row; with `whole`, also if no line is about the row."""
        if (table, key) not in self.contents:
            return f"no line of the chain is about row {key} of {table}" if whole else None
        told = self.contents[table, key]
        return None if told in {None, said} else f"it is not row {key} of {table} that the chain has"


def said(table: str, row: Row, *, begun: bool = False) -> bytes:
    """What is compared of a row, in few bytes; raises `NotABundle`. Of an attempt that has only `begun` less is known."""
    names = _BEGUN if table == ATTEMPT and begun else COMPARED.get(table) or DEEDS.get(table, ())
    try:
        values = repr([_plain(name, row.get(name)) for name in names])
    except RecursionError:
        raise NotABundle("its values lie too deep in one another") from None
    return hashlib.sha256(values.encode(errors="backslashreplace")).digest()[:16]


def _pairs(content: object) -> dict[str, object]:
    if not isinstance(content, list) or not all(isinstance(each, list) and len(each) == 2 for each in content):
        raise NotABundle("its row is no list of names and values")
    return {str(name): value for name, value in content}


def _plain(name: str, value: object) -> object:
    """A value in the one form that ledger and members have in common."""
    if name in _FLAGS:
        return bool(value)
    if name not in _JSON:
        return value
    try:
        return canonical(json.loads(value) if isinstance(value, str) else value)
    except ValueError:
        raise NotABundle(f"{name} of its row is no JSON") from None


def _hashed(value: object) -> str:
    try:
        return hashlib.sha256(bytes.fromhex(str(value))).hexdigest()
    except ValueError:
        raise NotABundle("a certificate of its row is not hexadecimal") from None
