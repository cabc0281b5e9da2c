# SPDX-License-Identifier: Apache-2.0
"""The files of the station's keys, which wrap the key of every unit: outside the ledger's folder, for this account only.

By default a folder beside the machine's records of its ledgers, with a file for each key, named by its id. A configuration
may name one file instead, or systemd hand one over as a credential. A file has a key in clear, or as only a token opens it.
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
from station.adapters.ledger.pkcs11_token import Token
from station.adapters.ledger.sealing import StationKey
from station.faults.line import LedgerUnavailable

log = structlog.get_logger()

CREDENTIAL = "station-key"  # its name in systemd's folder of credentials
FOLDER = "keys"
LARGEST = 1 << 14  # bytes of a file
_LINE = re.compile(r"matter-station-key 1 (?P<id>[0-9a-f]{16}) (?P<key>\S{44})")
_SEALED = re.compile(r"matter-station-key 2 (?P<id>[0-9a-f]{16}) (?P<token>pkcs11:\S+) (?P<key>\S+)")
_MADE = "# The key of a provisioning station's secrets. Keep a copy apart from the ledger's backups: without it no label can be made.\n"
_KEEP = (
    "this is a new station's key: keep a copy of its file apart from the ledger's backups, since without it no label can be"
    " made and no unit judged again"
)


@dataclass(frozen=True, slots=True)
class _Kept:
    """One line of a file: a key, whose id can be read without its token."""

    id: str
    written: str
    place: Path
    token: str | None

    @classmethod
    def of(cls, key: StationKey, place: Path, token: str | None) -> "_Kept":
        """Raises `LedgerUnavailable` where the token does not seal it."""
        if token is None:
            return cls(key.id, f"matter-station-key 1 {key.id} {_text(key.key)}", place, None)
        return cls(
            key.id, f"matter-station-key 2 {key.id} {token} {_text(Token.of(token).seal(key.key))}", place, token
        )

    def key(self) -> StationKey:
        """Raises `LedgerUnavailable`."""
        try:
            content = base64.b64decode(self.written.rpartition(" ")[2], validate=True)
            key = StationKey(content if self.token is None else Token.of(self.token).opened(content))
            if key.id == self.id:
                return key
        except (binascii.Error, ValueError):
            pass
        raise _no_key(self.place)


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
        for kept in self._there(key_id):
            if kept.id == key_id:
                return kept.key()
            others.append(kept.id)
        told = f"there is {', '.join(others)}" if others else "there is none"
        raise LedgerUnavailable(
            f"{self}: key {key_id} wraps the onboarding secrets of this ledger, and {told}. Put the key's file back from"
            " where it is kept; a new key would open none of them"
        )

    def place_of(self, key_id: str) -> Path | None:
        """The file with the key of this id."""
        return next((kept.place for kept in self._there(key_id) if kept.id == key_id), None)

    def token_of(self, key_id: str) -> str | None:
        """The PKCS#11 URI of the token that seals the key of this id; None where it is in clear, or not there."""
        return next((kept.token for kept in self._there(key_id) if kept.id == key_id), None)

    def files(self) -> dict[Path, list[str]]:
        """Every file with the ids of its keys; raises `LedgerUnavailable` for a file that cannot be used."""
        found: dict[Path, list[str]] = {}
        for kept in self._there():
            found.setdefault(kept.place, []).append(kept.id)
        return found

    def made(self) -> StationKey:
        """The key for a ledger that has none: the one of the file that people named, else a new one, durably written."""
        for kept in self._there():
            if kept.place in {self.file, self.handed, self._new}:
                return kept.key()
        return self.add()

    def add(self, token: str | None = None) -> StationKey:
        """Adds a new key, or returns the one that an interrupted call has added; raises `LedgerUnavailable`.

        With a token's PKCS#11 URI the new key is on the disk only as that token opens it.
        """
        if self.handed is not None:
            raise LedgerUnavailable(
                f"{self.handed}: systemd hands this key over, so the station cannot write another one there"
            )
        new = self.file or self._new
        there = [kept for kept in self._there() if kept.place == new]
        if self.file is None and there:
            return there[0].key()
        made = StationKey.random()
        self._write(new, [*there, _Kept.of(made, new, token)])
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
        self.find(kept)
        lasting = [each for each in self._there(kept) if each.id == kept]
        place = self.file or self._named(key_id)
        if not place.exists():
            return
        # The file's spare copies in the disk itself stay: docs/operating.md.
        with place.open("r+b") as old:
            if self.file is not None:
                self._write(self.file, lasting)
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

    def _there(self, wanted: str = "") -> Iterator[_Kept]:
        """Every key, first the one whose file has the wanted key's name: another ledger's file may be spoiled."""
        if self.handed is not None:
            files = [self.handed]
        elif self.file is not None:
            files = [self.file]
        else:
            files = sorted(self.folder.glob("*.key"), key=lambda file: (file != self._named(wanted), file))
        for file in files:
            if file.exists():
                yield from _read(file, private=file != self.handed)

    def _write(self, file: Path, keys: list[_Kept]) -> None:
        text = _MADE + "".join(f"{kept.written}\n" for kept in keys)
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


def _read(file: Path, *, private: bool) -> list[_Kept]:
    try:
        mode = file.stat().st_mode
        text = file.read_bytes()[:LARGEST].decode("ascii", errors="replace")
    except OSError as exc:
        raise LedgerUnavailable(f"{file}: the station's key cannot be read: {exc.strerror}") from exc
    if private and stat.S_IMODE(mode) & 0o077:
        raise LedgerUnavailable(f"{file}: others can read the station's key: chmod 600 {file}")
    lines = [line for line in text.splitlines() if line.strip("\0 ") and not line.startswith("#")]
    return [_kept(file, line.strip()) for line in lines]


def _kept(file: Path, line: str) -> _Kept:
    if (found := _LINE.fullmatch(line)) is None and (found := _SEALED.fullmatch(line)) is None:
        raise _no_key(file)
    kept = _Kept(found["id"], line, file, found.groupdict().get("token"))
    if kept.token is None:
        kept.key()  # a changed line is found even where the ledger needs another key
    return kept


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _no_key(file: Path) -> LedgerUnavailable:
    return LedgerUnavailable(
        f"{file}: a line is no key as the station writes it, or was changed; put the file back from where it is kept"
    )
