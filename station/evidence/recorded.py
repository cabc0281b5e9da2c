# SPDX-License-Identifier: Apache-2.0
"""Rows of the ledger as the chain has them: whether the members of a bundle say the same. Pure.

A line of the chain has the SHA-256 of a row's content at that time. The newest line about a row comes with the content itself.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from station.domain import recorded_row
from station.evidence import rows
from station.evidence.form import NotABundle
from station.evidence.rows import Row

LINE = "RowRecorded"
ATTEMPT, IDENTITY, REQUEST, CERTIFICATE = "attempt", "identity", "pki_request", "certificate"
COMPARED: Mapping[str, tuple[str, ...]] = {
    ATTEMPT: ("verdict", "fault", "uid", "dac_serial_number"),
    IDENTITY: ("uid", "serial_number", "lot_index", "state"),
    REQUEST: ("key", "uid", "outcome", "closed"),
    CERTIFICATE: ("key", "dac_serial_number", "dac", "pai"),
}
COLUMNS: Mapping[str, tuple[str, ...]] = {
    ATTEMPT: recorded_row.ATTEMPT,
    IDENTITY: recorded_row.IDENTITY,
    REQUEST: recorded_row.REQUEST,
    CERTIFICATE: recorded_row.CERTIFICATE,
}
"""The order of the values that are hashed; an attempt without a verdict has the first of them only."""
_HASHED = frozenset({"dac", "pai"})  # a certificate is compared by its SHA-256

Key = tuple[str, int | str]


@dataclass(slots=True)
class Recorded:
    """By table and key a digest of what is compared; None where the newest line has another content than the ledger had."""

    contents: dict[Key, bytes | None] = field(default_factory=dict)

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
        if (names := COMPARED.get(table)) is None:
            self.contents[table, key] = b""
        else:
            self.contents[table, key] = digest(*(_plain(name, told.get(name)) for name in names))

    def contradictions(self) -> Iterator[str]:
        """A sentence for each row that was changed in the ledger without a line."""
        for (table, key), content in self.contents.items():
            if content is None:
                yield f"row {key} of {table} was changed in the ledger, or removed, since the chain's newest line about it"

    def difference(self, table: str, key: int | str, said: bytes, *, whole: bool) -> str | None:
        """A sentence if a member says something else than the row; with `whole`, also if no line is about the row."""
        if (table, key) not in self.contents:
            return f"no line of the chain is about row {key} of {table}" if whole else None
        told = self.contents[table, key]
        return None if told in {None, said} else f"it is not row {key} of {table} that the chain has"


def digest(*values: object) -> bytes:
    """What is compared, in few bytes."""
    return hashlib.sha256(repr(values).encode(errors="backslashreplace")).digest()[:16]


def _pairs(content: object) -> dict[str, object]:
    if not isinstance(content, list) or not all(isinstance(each, list) and len(each) == 2 for each in content):
        raise NotABundle("its row is no list of names and values")
    return {str(name): value for name, value in content}


def _plain(name: str, value: object) -> object:
    if name not in _HASHED or not isinstance(value, str):
        return bool(value) if name == "closed" else value
    try:
        return hashlib.sha256(bytes.fromhex(value)).hexdigest()
    except ValueError:
        raise NotABundle("a certificate of its row is not hexadecimal") from None
