"""A small file beside the ledger: written whole or not at all, even if the power goes."""

import os
from pathlib import Path


def write(file: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replaces the file. Returns when the content is on the disk; after a power cut the old file may still have its name."""
    new = file.with_name(f"{file.name}.new")
    descriptor = os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, mode)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.rename(file)


def settle(folder: Path) -> None:
    """Returns when the names of the files in this folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
