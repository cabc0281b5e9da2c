# SPDX-License-Identifier: Apache-2.0
"""The files of the station's keys, which wrap the key of every unit: outside the ledger's folder, for this account only.

By default a folder beside the machine's records of its ledgers, with a file for each key, named by its id. A configuration
may name one file instead, or systemd hand one over as a credential.
"""

import base64
import binascii
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from station.adapters.ledger import durable
from station.adapters.ledger.sealing import StationKey
from station.faults.line import LedgerUnavailable

log = structlog.get_logger()

CREDENTIAL = "station-key"  # its name in systemd's folder of credentials
FOLDER = "keys"
LARGEST = 4096  # bytes of a file
_LINE = re.compile(r"matter-station-key 1 ([0-9a-f]{16}) (\S{44})")
_MADE = "# The key of a provisioning station's secrets. Keep a copy apart from the ledger's backups: without it no label can be made.\n"
_KEEP = (
    "this is a new station's key: keep a copy of its file apart from the ledger's backups, since without it no label can be"
    " made and no unit judged again"
)


@dataclass(frozen=True, slots=True)
class StationKeys:
    """Where the station's keys are: in one `file`, or each in a file of the `folder`. `handed` is for reading only."""

    folder: Path
    ledger: Path
    file: Path | None = None
    handed: Path | None = None

    @classmethod
    def of(
        cls, records: Path, ledger: Path, named: Path | None = None, environment: Mapping[str, str] = os.environ
    ) -> "StationKeys":
        """The place `named`, else systemd's credential, else the folder in that of the machine's records."""
        credentials = environment.get("CREDENTIALS_DIRECTORY")
        handed = Path(credentials) / CREDENTIAL if credentials and named is None else None
        return cls(records / FOLDER, ledger, named, handed if handed and handed.exists() else None)

    def __str__(self) -> str:
        return str(self.handed or self.file or self.folder)

    def find(self, key_id: str) -> StationKey:
        """The key of this id; raises `LedgerUnavailable`, with the remedy."""
        others = []
        for _, key in self._there(key_id):
            if key.id == key_id:
                return key
            others.append(key.id)
        told = f"there is {', '.join(others)}" if others else "there is none"
        raise LedgerUnavailable(
            f"{self}: key {key_id} wraps the onboarding secrets of this ledger, and {told}. Put the key's file back from"
            " where it is kept; a new key would open none of them"
        )

    def place_of(self, key_id: str) -> Path | None:
        """The file with the key of this id."""
        return next((file for file, key in self._there(key_id) if key.id == key_id), None)

    def files(self) -> dict[Path, list[str]]:
        """Every file with the ids of its keys; raises `LedgerUnavailable` for a file that cannot be used."""
        found: dict[Path, list[str]] = {}
        for file, key in self._there():
            found.setdefault(file, []).append(key.id)
        return found

    def made(self) -> StationKey:
        """The key for a ledger that has none: the one of the file that people named, else a new one, durably written."""
        for file, key in self._there():
            if file in {self.file, self.handed, self._new}:
                return key
        return self.add()

    def add(self) -> StationKey:
        """Adds a new key, or returns the one that an interrupted call has added; raises `LedgerUnavailable`."""
        if self.handed is not None:
            raise LedgerUnavailable(
                f"{self.handed}: systemd hands this key over, so the station cannot write another one there"
            )
        new = self.file or self._new
        there = [key for file, key in self._there() if file == new]
        if self.file is None and there:
            return there[0]
        made = StationKey.random()
        self._write(new, [*there, made])
        log.warning("key.made", file=str(new.parent if self.file is None else new), reason=_KEEP)
        return made

    def settle(self, key_id: str) -> None:
        """Gives a new key its lasting name, once the ledger names it."""
        new = self._new
        if self.file is None and self.handed is None and self.place_of(key_id) == new:
            new.rename(self._named(key_id))
            durable.settle(self.folder)

    def remove(self, key_id: str, *, kept: str) -> None:
        """Removes a key that nothing needs any more; its place on the disk is overwritten. The key `kept` must be there."""
        lasting = self.find(kept)
        place = self.file or self._named(key_id)
        if not place.exists():
            return
        # The file's spare copies in the disk itself stay: docs/operating.md.
        with place.open("r+b") as old:
            if self.file is not None:
                self._write(self.file, [lasting])
            old.write(b"\0" * os.fstat(old.fileno()).st_size)
            old.flush()
            os.fsync(old.fileno())
        if self.file is None:
            place.unlink()
            durable.settle(self.folder)

    @property
    def _new(self) -> Path:
        """A key that no ledger names yet: of this ledger alone, since two that shared one would lose it with each other's rotation."""
        name = hashlib.sha256(os.path.realpath(self.ledger).encode()).hexdigest()[:16]
        return self.folder / f"new-{name}.key"

    def _named(self, key_id: str) -> Path:
        return self.folder / f"{key_id}.key"

    def _there(self, wanted: str = "") -> Iterator[tuple[Path, StationKey]]:
        """Every key, first the one whose file has the wanted key's name: another ledger's file may be spoiled."""
        if self.handed is not None:
            files = [self.handed]
        elif self.file is not None:
            files = [self.file]
        else:
            files = sorted(self.folder.glob("*.key"), key=lambda file: (file != self._named(wanted), file))
        for file in files:
            if file.exists():
                yield from ((file, key) for key in _read(file, private=file != self.handed))

    def _write(self, file: Path, keys: list[StationKey]) -> None:
        text = _MADE + "".join(f"matter-station-key 1 {key.id} {base64.b64encode(key.key).decode()}\n" for key in keys)
        try:
            if self.file is None:
                file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            durable.write(file, text.encode(), new=file.with_name(f".{file.name}.new~"))
            durable.settle(file.parent)
        except OSError as exc:
            raise LedgerUnavailable(
                f"{file}: {exc.strerror}: the station's key belongs there; let the daemon's account write there once, or"
                " name another file as [secrets] key"
            ) from exc


def _read(file: Path, *, private: bool) -> list[StationKey]:
    try:
        mode = file.stat().st_mode
        text = file.read_bytes()[:LARGEST].decode("ascii", errors="replace")
    except OSError as exc:
        raise LedgerUnavailable(f"{file}: the station's key cannot be read: {exc.strerror}") from exc
    if private and stat.S_IMODE(mode) & 0o077:
        raise LedgerUnavailable(f"{file}: others can read the station's key: chmod 600 {file}")
    lines = [line for line in text.splitlines() if line.strip("\0 ") and not line.startswith("#")]
    return [_key(file, line) for line in lines]


def _key(file: Path, line: str) -> StationKey:
    found = _LINE.fullmatch(line.strip())
    try:
        if found is not None and (key := StationKey(base64.b64decode(found[2], validate=True))).id == found[1]:
            return key
    except (binascii.Error, ValueError):
        pass
    raise LedgerUnavailable(
        f"{file}: a line is no key as the station writes it, or was changed; put the file back from where it is kept"
    )
