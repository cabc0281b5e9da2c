# SPDX-License-Identifier: Apache-2.0
"""The folders of devices, DIR/dev and DIR/sys: links into memory, where the system has its own, if there is such a place."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IN_MEMORY = Path("/dev/shm")  # noqa: S108  the folders in it have names of their own, and an owner
NAMES = ("dev", "sys")
PREFIX = "bench-"


@contextmanager
def shown(directory: Path) -> Iterator[None]:
    """The two folders, for the block. Removes those that a killed bench has left, of this directory and of all others."""
    _remove(directory)
    if not os.access(IN_MEMORY, os.W_OK):
        try:
            yield  # the hub makes them
        finally:
            _remove(directory)
        return
    _sweep()
    unheld = Path(tempfile.mkdtemp(prefix=f".{PREFIX}", dir=IN_MEMORY))
    held = os.open(unheld, os.O_RDONLY | os.O_DIRECTORY)
    place = IN_MEMORY / unheld.name.removeprefix(".")
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        unheld.chmod(0o755)  # other accounts may see the devices, as they may see the system's
        unheld.rename(place)  # it is locked before a sweep can see it
        for name in NAMES:
            (place / name).mkdir()
            (directory / name).symlink_to(place / name)
        yield
    finally:
        _remove(directory)
        for folder in (unheld, place):
            shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _remove(directory: Path) -> None:
    """Removes the links, and not what they lead to; or the folders, where there are such."""
    for folder in (directory / name for name in NAMES):
        if folder.is_symlink():
            folder.unlink()
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _sweep() -> None:
    """Removes this account's folders that no bench holds any more."""
    for place in IN_MEMORY.glob(f"{PREFIX}*"):
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # its bench has just ended
            continue
        try:
            if os.fstat(descriptor).st_uid == os.geteuid():
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(place, ignore_errors=True)
        except BlockingIOError:  # that bench serves
            pass
        finally:
            os.close(descriptor)
