# SPDX-License-Identifier: Apache-2.0
"""Replaces a file that people edit, whole or not at all; mode, owner and symbolic links stay."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def check_replaceable(path: Path) -> None:
    """Raises `OSError` where `replace` would, so that nobody works for a file that cannot be written."""
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "this account may not write the file", str(path))
    with _copy(path.resolve(strict=True)):
        pass


def replace(path: Path, content: bytes) -> None:
    """The file has the whole new content, durably, or the whole old one. Raises `OSError`."""
    target = path.resolve(strict=True)
    with _copy(target) as copy:
        with copy.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        copy.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _copy(target: Path) -> Iterator[Path]:
    """An empty file beside the target, with its owner, mode and access list; removed if it is still there at the end."""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb"):
            _give(descriptor, target)
        shutil.copystat(target, name)
        os.utime(name)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _give(descriptor: int, target: Path) -> None:
    wanted, now = target.stat(), os.fstat(descriptor)
    if (wanted.st_uid, wanted.st_gid) == (now.st_uid, now.st_gid):
        return
    try:
        os.fchown(descriptor, wanted.st_uid, wanted.st_gid)
    except PermissionError as exc:
        sentence = "the file is another account's: run this as root, or as that account"
        raise PermissionError(exc.errno, sentence, str(target)) from exc
