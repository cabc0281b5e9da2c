# SPDX-License-Identifier: Apache-2.0
"""What still runs, is open, locked or in shared memory once everything was stopped."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE = "remains.json"


@dataclass(frozen=True)
class Remains:
    """Each list is empty after a campaign that has cleaned up."""

    processes: list[str] = field(default_factory=list)
    """Those whose command line, folder or open files are the campaign's."""
    open_files: list[str] = field(default_factory=list)
    locks: list[str] = field(default_factory=list)
    shared_memory: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> "Remains":
        """As they were saved in the folder; observed now if nobody has saved them."""
        file = folder / FILE
        return cls(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else observed(folder)

    def save(self, folder: Path) -> None:
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")


def observed(folder: Path, runtime: Path | None = None) -> Remains:
    """Looks at all processes but this one and its ancestors, at the locks, and at the campaign's folder in shared memory."""
    place = str(folder.resolve())
    processes, files = [], []
    ours = set(_ancestors(os.getpid()))
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) in ours:
            continue
        argv = _bytes(process / "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()
        opened = [target for link in _entries(process / "fd") if (target := _target(link)).startswith(f"{place}/")]
        files += [f"{process.name}: {target}" for target in opened]
        if opened or place in argv or _target(process / "cwd").startswith(place):
            processes.append(f"{process.name}: {argv}")
    left = [str(file) for file in sorted(runtime.rglob("*")) if file.is_file()] if runtime is not None else []
    return Remains(processes, files, list(_locks(folder)), left)


def _ancestors(pid: int) -> Iterator[int]:
    while pid > 0:
        yield pid
        fields = _bytes(Path(f"/proc/{pid}/stat")).rpartition(b")")[2].split()
        pid = int(fields[1]) if fields else 0


def _locks(folder: Path) -> Iterator[str]:
    """The files of the folder on which somebody has a lock."""
    locked = {
        each.split()[5].rpartition(":")[2] for each in Path("/proc/locks").read_text().splitlines() if "->" not in each
    }
    yield from (str(file) for file in folder.rglob("*") if file.is_file() and str(file.stat().st_ino) in locked)


def _bytes(file: Path) -> bytes:
    """None of a process that has ended meanwhile."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""
