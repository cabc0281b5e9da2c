# SPDX-License-Identifier: Apache-2.0
"""Whether a file is still the one that was read: without reading it again."""

from pathlib import Path

Stamp = tuple[int, int, int, int]


def stamp_of(path: Path) -> Stamp | None:
    """Differs once the file is changed, replaced, or let in by `chmod`; None where it cannot be looked at, which reading explains."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size, found.st_mode
