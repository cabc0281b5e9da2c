# SPDX-License-Identifier: Apache-2.0
"""Damages one table of a ledger's file, as a bad sector would."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.builders.bench import rows


def spoil(path: Path, table: str) -> Callable[[], None]:
    """Overwrites the root page of a table, as a bad sector would. Returns a function that restores it."""
    (root,) = rows(path, "SELECT rootpage FROM sqlite_schema WHERE name = ?", table)
    (size,) = rows(path, "PRAGMA page_size")
    length = int(str(size[0]))
    offset = (int(str(root[0])) - 1) * length
    with path.open("rb") as file:
        good = os.pread(file.fileno(), length, offset)

    def put(content: bytes) -> None:
        with path.open("r+b") as file:
            os.pwrite(file.fileno(), content, offset)

    put(b"\xa5" * length)
    return partial(put, good)
