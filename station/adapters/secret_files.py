"""Files that hold secrets for the length of one invocation: the programmer takes only paths. In memory, never on a disk."""

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from station.faults import SecretFilesUnavailable

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  tmpfs on every Linux; the folder made in it is 0700
_MEMORY_FILE_SYSTEMS = {"tmpfs", "ramfs"}


class SecretFiles:
    """A folder of mode 0700 in memory; its files have mode 0600 and live as long as their block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    @contextmanager
    def opened(cls, station: str, environment: Mapping[str, str] = os.environ) -> Iterator[Self]:
        """The folder of this station, swept of what a crash left; raises `SecretFilesUnavailable`.

        In systemd's runtime directory where there is one, else in shared memory.
        """
        parent = Path(environment.get("RUNTIME_DIRECTORY") or SHARED_MEMORY)
        if _file_system(parent) not in _MEMORY_FILE_SYSTEMS:
            raise SecretFilesUnavailable(str(parent), "it is not in memory (tmpfs)")
        folder = parent / f"station-{os.getuid()}-{''.join(c if c.isalnum() else '-' for c in station)}"
        try:
            if folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid():
                shutil.rmtree(folder)
            folder.mkdir(mode=0o700)
        except OSError as exc:
            raise SecretFilesUnavailable(str(folder), str(exc)) from exc
        try:
            yield cls(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def holding(self, content: bytes) -> Iterator[Path]:
        """A file with this content. The programmer tells a binary by its suffix."""
        with self.to_be_written() as path:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            yield path

    @contextmanager
    def to_be_written(self) -> Iterator[Path]:
        """A name for a file that somebody else writes."""
        path = self._folder / f"{secrets.token_hex(16)}.bin"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def _file_system(path: Path) -> str:
    """The type of the file system that holds `path`, by the longest mount point above it."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
        real = path.resolve(strict=True)
    except OSError:
        return ""
    holding = {}
    for mount in mounts:
        _, point, kind, *_ = mount.split(" ")
        if real.is_relative_to(point):
            holding[len(point)] = kind
    return holding[max(holding)] if holding else ""
