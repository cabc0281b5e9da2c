# SPDX-License-Identifier: Apache-2.0
"""Reads whole files of other programs, up to a size limit, and never waits at a pipe without a writer."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from station.config.sentences import nearest

LARGEST = 64 << 20  # bytes: the boards' whole flash has 17 MB
READ_AT_ONCE = 1 << 16


def read(path: Path, largest: int = LARGEST, *, follow_links: bool = True) -> bytes:
    """The content of a regular file; raises `OSError` for anything else, with the reason as `strerror`."""
    if not stat.S_ISREG(path.stat(follow_symlinks=follow_links).st_mode):  # opening a device may have a side effect
        raise _refused(path, errno.EINVAL, "is a folder" if path.is_dir() else "is not a regular file")
    links = 0 if follow_links else os.O_NOFOLLOW
    # Another file may have the name by now, so it is opened without waiting, and checked again.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | links)
    with open(descriptor, "rb") as file:  # noqa: PTH123  pathlib cannot open a descriptor
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _refused(path, errno.EINVAL, "is not a regular file")
        return _bounded(path, file, largest)


def read_stream(path: Path, largest: int = LARGEST) -> bytes:
    """The content of a file that a command line names, or of a pipe that the shell fills. Raises `OSError`."""
    with path.open("rb") as file:
        return _bounded(path, file, largest)


def meant(path: Path) -> str:
    """What to say behind the name of a file that is missing: the name beside it that is most alike, if any is."""
    if path.exists() or path.is_symlink():
        return ""
    try:
        beside = [each.name for each in path.parent.iterdir()]
    except OSError:
        return ""
    near = nearest(path.name, beside)
    return f'; did you mean "{near}"?' if near else ""


def _bounded(path: Path, file: BinaryIO, largest: int) -> bytes:
    """Reads to the end, in pieces: Python makes room for as many bytes as it is asked for, though a file has a thousand."""
    content = bytearray()
    while piece := file.read(READ_AT_ONCE):
        content += piece
        if len(content) > largest:
            raise _refused(path, errno.EFBIG, f"has more than {largest} bytes")
    return bytes(content)


def _refused(path: Path, number: int, text: str) -> OSError:
    return OSError(number, text, str(path))
