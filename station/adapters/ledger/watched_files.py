# SPDX-License-Identifier: Apache-2.0
"""Watches the files of an open ledger: whether its names still lead to the files that are held open."""

import os
from pathlib import Path

from station.faults.line import LedgerLost

_COMPANIONS = ("-wal", "-shm")


class WatchedFiles:
    """The ledger's file and its companions, which stay the same files as long as the ledger is open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size
        real = Path(os.path.realpath(path))  # SQLite derives the companions' names from it
        files = (path, *(real.with_name(f"{real.name}{end}") for end in _COMPANIONS))
        self._known = {file: (file.stat().st_dev, file.stat().st_ino) for file in files}

    def check(self) -> None:
        """Raises `LedgerLost` if one of the files is gone, was replaced, or was cut short. Costs some microseconds."""
        for file, known in self._known.items():
            try:
                status = file.stat()
            except OSError as exc:
                raise LedgerLost(str(file), exc.strerror or "cannot be seen") from exc
            if (status.st_dev, status.st_ino) != known:
                raise LedgerLost(str(file), "another file has its name now")
            if file == self._path:
                if status.st_size < self._size:  # a ledger's file only grows
                    raise LedgerLost(str(file), f"it had {self._size} bytes and has {status.st_size}")
                self._size = status.st_size
