# SPDX-License-Identifier: Apache-2.0
"""Takes and gives back locks of flock(2), and names the process that holds one. A lock ends with its process."""

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_LOCKS = Path("/proc/locks")
_LOOKS = 5  # the kernel gives the list page by page, and one that changes meanwhile may lack a line


class LockHeld(Exception):
    """Another process holds the lock."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


def lock(descriptor: int) -> None:
    """Takes the lock on an open file; closes the file and raises `LockHeld` while another process has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        process = holder(descriptor)
        os.close(descriptor)
        raise LockHeld(process) from exc


def lock_file(path: Path, opened: Callable[[Path], int]) -> int:
    """Locks a file that exists only to be locked, and returns its descriptor. `opened` opens or makes it. Raises `LockHeld`."""
    while True:
        descriptor = opened(path)
        lock(descriptor)
        if is_at(path, descriptor):
            return descriptor
        os.close(descriptor)  # its last holder removed the file after we had opened it


def give_back(path: Path, descriptor: int) -> None:
    """Removes the file, then unlocks it, so that a waiting process notices the removal and makes a new file."""
    if is_at(path, descriptor):
        with suppress(FileNotFoundError, PermissionError):  # another account's file stays
            path.unlink()
    os.close(descriptor)


def is_at(path: Path, descriptor: int) -> bool:
    """Whether the path still leads to the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))  # noqa: PTH116  of every slot before every attempt
    except FileNotFoundError:
        return False


def holder(descriptor: int) -> str:
    """The process that holds the lock, in words, even if it opened the file by another name.

    The kernel lists only processes of this container.
    """
    inode = str(os.fstat(descriptor).st_ino)
    found = next((process for _ in range(_LOOKS) if (process := _process(inode)) is not None), None)
    return "another process" if found is None else f"process {found}"


def _process(inode: str) -> str | None:
    try:
        locks = _LOCKS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    # proc(5): "2: FLOCK  ADVISORY  WRITE 1234 fe:00:2172273 0 EOF". On some file systems its device number differs from stat's.
    held = (line.split() for line in locks if " -> " not in line)
    return next((f[4] for f in held if f[1] == "FLOCK" and f[5].rpartition(":")[2] == inode), None)
