# SPDX-License-Identifier: Apache-2.0
"""The recordings of attempts, one compressed file of JSON lines each, beside the transcripts. They may be lost; boards go on."""

import gzip
import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import structlog

from station.adapters.system.transcripts import RECORDING, place_of
from station.config import plain_files

log = structlog.get_logger()

LARGEST = 16 << 20  # bytes of a recording that is read: the station writes far smaller ones
_JSON = json.JSONEncoder(separators=(",", ":"), check_circular=False)


class RecordingUnreadable(Exception):
    """Says which file, and why."""


class Recordings:
    """The folder of all recordings; `lost` counts those that could not be written."""

    def __init__(self, folder: Path) -> None:
        self.lost = 0
        self._folder = folder
        self._losing = False

    def keep(self, attempt: int, entries: Iterable[Mapping[str, object]]) -> None:
        """Writes the recording of an attempt that has ended. One that was cut off by a crash is refused when it is read."""
        path = self._folder / place_of(attempt, RECORDING)
        text = "\n".join([*map(_JSON.encode, entries), ""])
        try:
            content = gzip.compress(text.encode(), compresslevel=1, mtime=0)
            try:
                path.write_bytes(content)
            except FileNotFoundError:  # the first of a thousand
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        except OSError as exc:
            self._lose(path, exc)
        else:
            self._losing = False

    def _lose(self, path: Path, exc: OSError) -> None:
        self.lost += 1
        if not self._losing:  # the first of several in a row
            log.warning("recording.lost", file=str(path), reason=exc.strerror, lost=self.lost)
        self._losing = True


def read(path: Path) -> list[dict[str, object]]:
    """The entries of a recording; raises `RecordingUnreadable`, and `OSError` for a file that cannot be opened."""
    raw = plain_files.read_stream(path, LARGEST)
    try:
        text = _unpacked(raw).decode() if raw.startswith(b"\x1f\x8b") else raw.decode()
        entries = [json.loads(line) for line in text.splitlines()]
    except (ValueError, RecursionError, zlib.error) as exc:
        raise RecordingUnreadable(f"{path}: no recording of an attempt: {exc}") from exc
    if not entries or not all(isinstance(entry, dict) for entry in entries):
        raise RecordingUnreadable(f"{path}: no recording of an attempt: it has no entries")
    return entries


def _unpacked(raw: bytes) -> bytes:
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16)
    text = unpacking.decompress(raw, LARGEST)
    if not unpacking.eof:
        raise ValueError(f"it does not end within {LARGEST} bytes")
    return text
