# SPDX-License-Identifier: Apache-2.0
"""Removes old transcripts and recordings: which ones go, by age and by size, is pure; the folder is read and emptied by blocking calls.

Only files that have a transcript's name, at its place, are looked at, and no link is followed out of the folder.
"""

import errno
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from station.adapters.system.transcripts import TEXT, place_of

_FOLDER = re.compile(r"[0-9]{4,}")
_FILE = re.compile(r"([0-9]{7,})(\.txt|\.jsonl\.gz)")


@dataclass(frozen=True, slots=True)
class Kept:
    """A transcript or a recording on the disk: its attempt, the seconds since 1970 of its last change, its size in bytes."""

    attempt: int
    changed: float
    size: int
    suffix: str = TEXT


@dataclass(frozen=True, slots=True)
class Limits:
    """How long transcripts are kept, in seconds, and how much they may take together, in bytes. None is no limit."""

    age: float | None
    size: int | None


def kept(folder: Path) -> list[Kept]:
    """The transcripts in this folder, and nothing else that lies there."""
    found = []
    with _opened(folder) as top:
        if top is None:
            return []
        for name in _names(top):
            if not _FOLDER.fullmatch(name):
                continue
            with _opened(name, top) as inner:
                found += list(_in_folder(name, inner)) if inner is not None else []
    return found


def surplus(transcripts: Iterable[Kept], limits: Limits, at_work: Collection[int], now: float) -> list[Kept]:
    """The transcripts that go, oldest first: those above the age, then as many as it takes to get below the size.

    The transcript of an attempt in work stays.
    """
    oldest_first = sorted(transcripts, key=lambda each: (each.changed, each.attempt))
    size = sum(each.size for each in oldest_first)
    gone = []
    for each in oldest_first:
        too_old = limits.age is not None and now - each.changed > limits.age
        too_much = limits.size is not None and size > limits.size
        if (too_old or too_much) and each.attempt not in at_work:
            gone.append(each)
            size -= each.size
    return gone


def remove(folder: Path, transcripts: Iterable[Kept]) -> list[Kept]:
    """Removes these transcripts and returns those that this call removed."""
    removed = []
    with _opened(folder) as top:
        for each in transcripts if top is not None else ():
            place = place_of(each.attempt, each.suffix)
            with _opened(place.parent.name, top) as inner:
                if inner is not None and _removed(place.name, inner):
                    removed.append(each)
    return removed


def _in_folder(folder: str, descriptor: int) -> Iterator[Kept]:
    for name in _names(descriptor):
        match = _FILE.fullmatch(name)
        if match is None or place_of(int(match[1]), match[2]) != Path(folder) / name:
            continue
        try:
            found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if stat.S_ISREG(found.st_mode):
            yield Kept(int(match[1]), found.st_mtime, found.st_size, match[2])


def _names(descriptor: int) -> list[str]:
    with os.scandir(descriptor) as entries:
        return [entry.name for entry in entries]


def _removed(name: str, folder: int) -> bool:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:  # a person was faster
        return False
    return True


@contextmanager
def _opened(folder: Path | str, inside: int | None = None) -> Iterator[int | None]:
    """The folder's descriptor for the block; None if there is no such folder, or if it is a link inside of another."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        # The folder of all transcripts may be a link to another disk: the station writes there, too.
        descriptor = os.open(folder, flags if inside is None else flags | os.O_NOFOLLOW, dir_fd=inside)
    except OSError as exc:
        if exc.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:  # the last two: also a link inside
            raise
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)
