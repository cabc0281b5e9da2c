# SPDX-License-Identifier: Apache-2.0
"""All selected attempts as one long answer: lines of JSON or CSV, read from the ledger piece by piece."""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from aiohttp import web

from station.adapters.ledger import records, selection
from station.adapters.ledger.selection import AttemptRecord
from station.adapters.system.shown import in_cell
from station.faults.line import LedgerUnavailable
from station.web.aside import aside
from station.web.questions import AttemptPage

AT_ONCE = 1000  # attempts; nothing of the ledger is held open while the listener reads them
TYPES = {"jsonl": "application/jsonl", "csv": "text/csv"}

Form = Literal["jsonl", "csv"]


async def streamed(
    request: web.Request, path: Path, asked: AttemptPage, form: Form, most: int | None
) -> web.StreamResponse:
    """Answers with the attempts after `asked.after`, and with so many at most. Raises `LedgerUnavailable` before the first one only."""
    left, after = most, asked.after
    found = await _read(path, asked, after, left)
    answer = web.StreamResponse(headers={"Content-Type": f"{TYPES[form]}; charset=utf-8", "Cache-Control": "no-store"})
    await answer.prepare(request)
    try:
        await answer.write(_header() if form == "csv" else b"")
        while found:
            await answer.write((_csv if form == "csv" else _jsonl)(found))
            left = None if left is None else left - len(found)
            after = found[-1].number
            found = await _read(path, asked, after, left)
    except (LedgerUnavailable, ConnectionError):  # an answer without its end is not taken for a whole one
        if request.transport is not None:
            request.transport.abort()
    return answer


async def _read(path: Path, asked: AttemptPage, after: int, left: int | None) -> list[AttemptRecord]:
    most = AT_ONCE if left is None else min(left, AT_ONCE)
    return await aside(selection.attempts_after, path, asked.selection, after, most)


def _jsonl(found: Iterable[AttemptRecord]) -> bytes:
    return "".join(json.dumps(records.values(each)) + "\n" for each in found).encode()


def _header() -> bytes:
    return (",".join(AttemptRecord.__slots__) + "\r\n").encode()


def _csv(found: Iterable[AttemptRecord]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    for each in found:
        writer.writerow(map(in_cell, records.values(each).values()))
    return text.getvalue().encode()
