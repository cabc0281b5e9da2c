# SPDX-License-Identifier: Apache-2.0
"""Watches the files of an open ledger: whether its names still lead to the files that are held open."""

import os
from pathlib import Path

from station.faults.line import LedgerLost

_COMPANIONS = ("-wal", "-shm")


class WatchedFiles:
    """The ledger's file and its companions, which stay the same files as long as the ledger is open."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)  # strings: pathlib takes longer than the look, which every unit of work has
        self._size = os.stat(path).st_size  # noqa: PTH116
        real = os.path.realpath(path)  # SQLite derives the companions' names from it
        files = (self._path, *(f"{real}{end}" for end in _COMPANIONS))
        self._known = {file: _identity(os.stat(file)) for file in files}  # noqa: PTH116

    def check(self) -> None:
        """Raises `LedgerLost` if one of the files is gone, was replaced, or was cut short. Costs some microseconds."""
        for file, known in self._known.items():
            try:
                status = os.stat(file)  # noqa: PTH116
            except OSError as exc:
                raise LedgerLost(file, exc.strerror or "cannot be seen") from exc
            if _identity(status) != known:
                raise LedgerLost(file, "another file has its name now")
            if file == self._path:
                if status.st_size < self._size:  # a ledger's file only grows
                    raise LedgerLost(file, f"it had {self._size} bytes and has {status.st_size}")
                self._size = status.st_size


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
