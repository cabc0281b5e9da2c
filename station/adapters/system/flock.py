"""Who holds a lock of flock(2) on a file, by what the kernel tells of all locks; also of a process that has no name for the file."""

import os
from pathlib import Path

_LOCKS = Path("/proc/locks")
_LOOKS = 5  # the kernel gives the list page by page, and one that changes meanwhile may lack a line


def holder(descriptor: int) -> str:
    """The process, in words; locks of processes in other containers are not told."""
    inode = str(os.fstat(descriptor).st_ino)
    found = next((process for _ in range(_LOOKS) if (process := _process(inode)) is not None), None)
    return "another process" if found is None else f"process {found}"


def _process(inode: str) -> str | None:
    try:
        locks = _LOCKS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    # proc(5): "2: FLOCK  ADVISORY  WRITE 1234 fe:00:2172273 0 EOF". Some file systems tell another device there than stat does.
    held = (line.split() for line in locks if " -> " not in line)
    return next((f[4] for f in held if f[1] == "FLOCK" and f[5].rpartition(":")[2] == inode), None)
