"""Finds the process that holds a flock(2) lock on a file, in the kernel's list of all locks."""

import os
from pathlib import Path

_LOCKS = Path("/proc/locks")
_LOOKS = 5  # the kernel gives the list page by page; if the list changes meanwhile, a line may be missing


def holder(descriptor: int) -> str:
    """The process, in words; the kernel does not show locks of processes in other containers."""
    inode = str(os.fstat(descriptor).st_ino)
    found = next((process for _ in range(_LOOKS) if (process := _process(inode)) is not None), None)
    return "another process" if found is None else f"process {found}"


def _process(inode: str) -> str | None:
    try:
        locks = _LOCKS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    # proc(5): "2: FLOCK  ADVISORY  WRITE 1234 fe:00:2172273 0 EOF". Some file systems show another device there than
    # stat does.
    held = (line.split() for line in locks if " -> " not in line)
    return next((f[4] for f in held if f[1] == "FLOCK" and f[5].rpartition(":")[2] == inode), None)
