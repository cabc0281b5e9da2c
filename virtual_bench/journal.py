# SPDX-License-Identifier: Apache-2.0
"""bench.jsonl: the bench's observations and actions, one JSON object per line, to check a run afterwards."""

import fcntl
import json
import time
from pathlib import Path
from types import TracebackType
from typing import Self


class BenchTaken(Exception):
    """Another process writes this journal; the text says what to do."""


class Journal:
    """Appends events to a file, each flushed as it happens. It has one writer."""

    def __init__(self, path: Path) -> None:
        """Raises BenchTaken."""
        self._file = path.open("a", encoding="utf-8", buffering=1)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            self._file.close()
            raise BenchTaken(
                f"a virtual bench serves {path.parent} already: stop it, or take another directory"
            ) from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, event: str, **fields: object) -> None:
        """Writes one event, stamped with Unix seconds."""
        self._file.write(json.dumps({"event": event, "time": time.time(), **fields}) + "\n")
