# SPDX-License-Identifier: Apache-2.0
"""Writes a small file whole or not at all, even if the power fails."""

import os
from pathlib import Path


def write(file: Path, content: bytes, *, mode: int = 0o600, new: Path | None = None) -> None:
    """Replaces the file, and returns when the content is on the disk. `new` is the name until then.

    After a power cut the name may still be the old file's.
    """
    new = new or file.with_name(f"{file.name}.new")
    descriptor = os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, mode)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.rename(file)


def settle(folder: Path) -> None:
    """Returns when the folder's list of names is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
