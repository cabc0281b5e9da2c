# SPDX-License-Identifier: Apache-2.0
"""This machine's records of its ledgers, outside their folders, which reveal a missing ledger or an older copy."""

import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self, TypeVar

from pydantic import TypeAdapter

from station.adapters.ledger import durable
from station.faults.line import LedgerUnavailable

T = TypeVar("T")

_OF_THE_MACHINE = Path("/var/lib")
_LEDGERS = "ledgers"


def folder_for(ledger: Path, named: Path | None) -> Path:
    """The folder `named`, or the default. Raises `LedgerUnavailable` if it is in the ledger's own folder."""
    if named is not None:
        return named
    beside = Path(os.path.realpath(ledger)).parent
    folder = default_folder(without=beside)
    if _is_in(folder, beside):
        raise LedgerUnavailable(
            f"{folder}: the record of a ledger must outlive the ledger's folder: set another place as [station] witness"
        )
    return folder


def default_folder(environment: Mapping[str, str] = os.environ, *, without: Path | None = None) -> Path:
    """The user's state folder if the environment names one; else the machine's, if this account may write there.

    Records stay in the folder where they began, even if the account is later allowed to use the machine's folder.
    """
    if named := environment.get("XDG_STATE_HOME"):
        return Path(named) / "matter-station"
    machine = _OF_THE_MACHINE / "matter-station"
    try:
        own = Path.home() / ".local" / "state" / "matter-station"
    except RuntimeError:  # an account without a home, as in a container
        return machine
    if without is not None and _is_in(machine, without):
        return own
    begun = os.access(own / _LEDGERS, os.W_OK) and not os.access(machine / _LEDGERS, os.F_OK)
    writable = os.access(machine if machine.exists() else _OF_THE_MACHINE, os.W_OK)
    return machine if writable and not begun else own


def _is_in(folder: Path, other: Path) -> bool:
    return Path(os.path.realpath(folder)).is_relative_to(other)


@dataclass(frozen=True, slots=True)
class Mark:
    """A ledger's progress.

    `identities` counts the ones given out, `skipped` the serial numbers never to be given out.
    """

    incarnation: int
    tick: int
    identities: int
    skipped: int


@dataclass(frozen=True, slots=True)
class Record:
    """The record of one ledger; `path` is None when another ledger took its place."""

    ledger: str
    station: str
    path: str | None
    mark: Mark


@dataclass(frozen=True, slots=True)
class Backup:
    """The last backup of one ledger: when, where to, and how many identities are in it."""

    at: str
    path: str
    identities: int


_RECORD, _BACKUP = TypeAdapter(Record), TypeAdapter(Backup)


class Register:
    """The records of this machine, a file each.

    Every method raises `LedgerUnavailable` where it cannot read or write.
    """

    def __init__(self, folder: Path, remembered: tuple[Record, ...] | None = None) -> None:
        self._folder = folder / _LEDGERS
        self._remembered = remembered

    def __str__(self) -> str:
        return str(self._folder)

    @property
    def folder(self) -> Path:
        """The folder of all records of this machine, as `folder_for` names it."""
        return self._folder.parent

    def as_of_now(self) -> "Register":
        """The record for comparison with a ledger that is read after it.

        If a daemon writes meanwhile, the record may be behind the ledger, never ahead.
        """
        return Register(self._folder.parent, tuple(self._records()))

    def of(self, ledger: str) -> Record | None:
        return next((record for record in self._records() if record.ledger == ledger), None)

    def at(self, path: Path) -> Record | None:
        """The record of the ledger that lies at this path, or should."""
        wanted = os.path.realpath(path)
        return next((record for record in self._records() if record.path == wanted), None)

    def of_station(self, station: str) -> Record | None:
        return next((record for record in self._records() if record.station == station and record.path), None)

    def write(self, record: Record) -> None:
        """Writes the record durably: after a power cut it is this one, never the earlier one or none."""
        self._keep(f"{record.ledger}.json", _RECORD.dump_python(record))
        try:
            durable.settle(self._folder)
        except OSError as exc:
            raise LedgerUnavailable(f"{self._folder}: {exc.strerror}") from exc

    def advance(self, record: Record) -> None:
        """Writes the record durably, except that a power cut may bring back the earlier record of the same ledger."""
        self._keep(f"{record.ledger}.json", _RECORD.dump_python(record))

    def last_backup(self, ledger: str) -> Backup | None:
        file = self._folder / f"{ledger}.backup"
        return _read(file, _BACKUP) if file.exists() else None

    def backed_up(self, ledger: str, backup: Backup) -> None:
        self._keep(f"{ledger}.backup", _BACKUP.dump_python(backup))

    def _records(self) -> Iterator[Record]:
        if self._remembered is not None:
            yield from self._remembered
            return
        for file in sorted(self._folder.glob("*.json")):
            yield _read(file, _RECORD)

    def _keep(self, name: str, what: object) -> None:
        file, content = self._folder / name, f"{json.dumps(what)}\n".encode()
        try:
            try:
                durable.write(file, content)
            except FileNotFoundError:  # the first record of this machine
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                durable.write(file, content)
        except OSError as exc:
            raise LedgerUnavailable(
                f"{file}: {exc.strerror}: the record of a ledger must outlive the ledger's folder; let the daemon's account"
                " write there, or set another place as [station] witness"
            ) from exc


def _read(file: Path, kind: TypeAdapter[T]) -> T:
    try:
        return kind.validate_json(file.read_bytes())
    except OSError as exc:
        raise LedgerUnavailable(f"{file}: {exc.strerror}") from exc
    except ValueError as exc:  # the file is replaced whole, so it cannot be torn
        raise LedgerUnavailable(f"{file} is not what the station wrote there: remove it") from exc


class Witness:
    """Records the ledger's progress outside the ledger. Several threads may use it."""

    def __init__(self, register: Register, record: Record) -> None:
        self._register = register
        self._record = record
        self._written: Mark | None = None
        self._lock = threading.Lock()

    @classmethod
    def begun(cls, register: Register, record: Record) -> Self:
        """A witness that has already written its first record."""
        witness = cls(register, record)
        witness.see(record.mark)
        return witness

    def see(self, mark: Mark) -> None:
        """Returns when this mark, or a later one, is on the disk.

        Call it after the marked work itself is on the disk.
        """
        with self._lock:
            if mark.tick > self._record.mark.tick:
                self._record = replace(self._record, mark=mark)
            if self._written is None or self._written.tick < self._record.mark.tick:
                write = self._register.write if self._written is None else self._register.advance
                write(self._record)
                self._written = self._record.mark

    def catch_up(self) -> None:
        """Writes the mark that could not be written before."""
        self.see(self._record.mark)
