# SPDX-License-Identifier: Apache-2.0
"""The programmer's output, one text file for each attempt, appended run by run. Output may be lost; boards go on."""

from collections.abc import Callable
from pathlib import Path

import structlog

log = structlog.get_logger()

ATTEMPTS_A_FOLDER = 1000


TEXT, RECORDING = ".txt", ".jsonl.gz"


def place_of(attempt: int, suffix: str = TEXT) -> Path:
    """The place of an attempt's transcript, or of its recording, below the folder of all transcripts."""
    return Path(f"{attempt // ATTEMPTS_A_FOLDER:04d}") / f"{attempt:07d}{suffix}"


class Transcripts:
    """The folder of all transcripts; `lost` counts the runs whose text could not be written, or not whole."""

    def __init__(self, folder: Path) -> None:
        self.lost = 0
        self._folder = folder
        self._losing = False

    def recorder(self, attempt: int) -> Callable[[str], None]:
        """Takes the text of each run of this attempt; the file appears with the first."""
        path = self._folder / place_of(attempt)

        def record(text: str) -> None:
            content = (text if text.endswith("\n") else f"{text}\n").encode()
            try:
                try:
                    _append(path, content)
                except FileNotFoundError:  # the first of a thousand
                    path.parent.mkdir(parents=True, exist_ok=True)
                    _append(path, content)
            except OSError as exc:
                self._lose(path, exc)
            else:
                self._losing = False

        return record

    def _lose(self, path: Path, exc: OSError) -> None:
        self.lost += 1
        if not self._losing:  # the first of several in a row
            log.warning("transcript.lost", file=str(path), reason=exc.strerror, lost=self.lost)
        self._losing = True


def _append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)
