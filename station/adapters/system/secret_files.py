# SPDX-License-Identifier: Apache-2.0
"""Files with secrets, for one run of a tool that takes only paths: in memory, private, deleted after the run."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Self
from urllib.parse import quote

from station.adapters.system import file_lock
from station.adapters.system.file_lock import LockHeld
from station.faults.line import SecretFilesUnavailable
from station.faults.resources import exhausted

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  any user may write there, so the folder's owner is checked
MOUNTS = Path("/proc/self/mountinfo")
IN_MEMORY = frozenset({"tmpfs", "ramfs"})


class SecretFolder:
    """A folder for one run; everything in it is deleted with it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: list[Path] = []

    def path(self, name: str) -> Path:
        """The path of a file in this folder."""
        path = self._path / name
        self._files.append(path)
        return path

    def delete(self) -> None:
        """Deletes it; the next start sweeps files that cannot be deleted now."""
        try:
            for path in self._files:
                with suppress(FileNotFoundError):
                    path.unlink()
            self._path.rmdir()
        except OSError:  # a file that the tool has made of its own accord
            shutil.rmtree(self._path, ignore_errors=True)

    def written(self, name: str, content: bytes) -> Path:
        """A new file with this content that only this user may read.

        Raises `SecretFilesUnavailable`, for example without room.
        """
        path = self.path(name)
        with _told(path.parent.parent):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:  # noqa: PTH123  pathlib cannot open a descriptor
                file.write(content)
        return path


class SecretFiles:
    """The station's private folder in memory. Opening it deletes the files that a crash left in it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @classmethod
    @contextmanager
    def opened(
        cls, station: str, environment: Mapping[str, str] = os.environ, *, in_memory: bool = True
    ) -> Iterator[Self]:
        """A private folder for the block, without files of a crashed station; raises `SecretFilesUnavailable`.

        `in_memory=False` also accepts a folder on a disk, for machines where a folder in memory cannot be recognised.
        """
        place = _place(environment)
        if in_memory and _file_system(place) not in IN_MEMORY:
            raise SecretFilesUnavailable(str(place), "it is not in memory")
        prefix = f"station-{os.geteuid()}-{quote(station, safe='')}-"
        try:
            _sweep(place, prefix)
            unheld = Path(mkdtemp(prefix=".", dir=place))  # of mode 0700
            held = _hold(unheld)
            # It is locked before a sweep can see it.
            root = unheld.rename(place / f"{prefix}{unheld.name.removeprefix('.')}")
        except OSError as exc:
            raise SecretFilesUnavailable(str(place), exc.strerror or type(exc).__name__) from exc
        try:
            yield cls(root)
        finally:
            shutil.rmtree(root, ignore_errors=True)  # the next start sweeps files that cannot be deleted now
            os.close(held)

    def check(self, room: int) -> None:
        """Raises `SecretFilesUnavailable` where there is no room for files of so many bytes."""
        with self.folder() as folder:
            folder.written("check.bin", bytes(room))

    @contextmanager
    def folder(self) -> Iterator[SecretFolder]:
        """A folder for one run of a tool; raises `SecretFilesUnavailable`."""
        path = self._root / secrets.token_hex(8)
        with _told(self._root):
            path.mkdir(mode=0o700)
        folder = SecretFolder(path)
        try:
            yield folder
        finally:
            folder.delete()


@contextmanager
def _told(place: Path) -> Iterator[None]:
    """Raises the fault of the line for an error of the operating system in the block."""
    try:
        yield
    except FileExistsError:
        raise  # our bug: each name is used once
    except OSError as exc:
        if exc.errno in {errno.ENOSPC, errno.EDQUOT} or (fault := exhausted(f"write below {place}", exc)) is None:
            raise SecretFilesUnavailable(str(place), exc.strerror or type(exc).__name__) from exc
        raise fault from exc


def _place(environment: Mapping[str, str]) -> Path:
    """The folder in memory: systemd's for this service, else this user's, else the machine's."""
    if folders := environment.get("RUNTIME_DIRECTORY"):
        return Path(folders.split(":")[0])  # systemd.exec(5): several are separated by colons
    user = environment.get("XDG_RUNTIME_DIR")
    if user and _file_system(Path(user)) in IN_MEMORY:
        return Path(user)
    return SHARED_MEMORY


def _file_system(path: Path) -> str | None:
    """The type of the file system that holds the path; None if it is unknown."""
    try:
        device = path.stat().st_dev
        mounts = MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    number = f"{os.major(device)}:{os.minor(device)}"
    for mount in mounts:  # proc(5): id, parent, major:minor, root, mount point, options, optional fields, "-", type, …
        place, _, kind = mount.partition(" - ")
        if place.split(" ")[2] == number:
            return kind.split(" ")[0]
    return None


def _sweep(place: Path, prefix: str) -> None:
    """Deletes the folders of this station that no process holds any more."""
    for folder in place.glob(f"{prefix}*"):
        try:
            if folder.lstat().st_uid != os.geteuid():
                continue  # another user's, where all users may make folders
            held = _hold(folder)
        except (LockHeld, FileNotFoundError):
            continue  # another process of this station lives, or has swept here at the same moment
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _hold(folder: Path) -> int:
    """Marks a folder as in use until the returned descriptor is closed, at the latest by the process's end; raises `LockHeld`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    file_lock.lock(descriptor)
    return descriptor
