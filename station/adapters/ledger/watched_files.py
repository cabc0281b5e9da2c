"""The files of an open ledger: whether those that are held open are still those that bear its name."""

import os
from pathlib import Path

from station.faults.line import LedgerLost

_COMPANIONS = ("-wal", "-shm")


class WatchedFiles:
    """The ledger's file and its companions, as they are now; for as long as the ledger is open they stay the same files."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size
        real = Path(os.path.realpath(path))  # SQLite names the companions by it
        files = (path, *(real.with_name(f"{real.name}{end}") for end in _COMPANIONS))
        self._known = {file: (file.stat().st_dev, file.stat().st_ino) for file in files}

    def check(self) -> None:
        """Raises `LedgerLost` where one of them is gone, is another, or was cut short. Costs some microseconds."""
        for file, known in self._known.items():
            try:
                status = file.stat()
            except OSError as exc:
                raise LedgerLost(str(file), exc.strerror or "cannot be seen") from exc
            if (status.st_dev, status.st_ino) != known:
                raise LedgerLost(str(file), "another file has its name now")
            if file == self._path:
                if status.st_size < self._size:  # a ledger only grows
                    raise LedgerLost(str(file), f"it had {self._size} bytes and has {status.st_size}")
                self._size = status.st_size
