# SPDX-License-Identifier: Apache-2.0
"""The file of the people who may change something at the page and through the API.

It has no PIN and no token. A PIN is kept as scrypt makes it (RFC 7914), with one salt for the file, so that one computation
finds its person; a token, which is random, as its SHA-256.
"""

import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from station.adapters.system.file_stamp import Stamp, stamp_of
from station.config import edited_file, plain_files
from station.domain.people import LONGEST_NAME, Person, Role, mistake_in_name, mistake_in_pin

LARGEST = 1 << 20  # bytes of the file
MOST_PEOPLE = 1000
_COST, _BLOCK, _PARALLEL = 1 << 14, 8, 1  # 16 MiB and some 50 ms a PIN
_MEMORY = 64 << 20
_TOKEN = 32  # bytes of a token's randomness


class PeopleUnusable(OSError):
    """The file cannot be read or written, or is no file of people; the text names it and the remedy."""


class Refused(Exception):
    """Somebody cannot be added or removed as asked; never with a PIN."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    role: Role
    pin: str | None = None
    token: str | None = None
    since: datetime


class _People(BaseModel):
    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1] = 1
    salt: str = Field(pattern=r"^[0-9a-f]{32}$")
    people: tuple[_Entry, ...] = ()


class PeopleFile:
    """The file at `path`, which need not be there yet. It is read at every question, so a change needs no restart."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: Stamp | None = None
        self._since: Mapping[Person, datetime] = {}

    def people(self) -> list[Person]:
        """Everybody, in the order of the file; raises `PeopleUnusable`."""
        return [Person(each.name, each.role) for each in self._read().people]

    def tokens(self) -> set[str]:
        """The names that belong to programs."""
        return {each.name for each in self._read().people if each.token is not None}

    def since(self) -> Mapping[Person, datetime]:
        """Everybody, and the moment at which each was added. Cheap: the file is read only once it has changed.

        Raises `PeopleUnusable`.
        """
        stamp = stamp_of(self.path)
        if stamp is None or stamp != self._stamp:
            # In a zone of Python's own: one of pydantic's that lives as long as the process crashes its end.
            self._since = {Person(each.name, each.role): each.since.astimezone(UTC) for each in self._read().people}
            self._stamp = stamp
        return self._since

    def by_pin(self, pin: str) -> Person | None:
        """Whose PIN this is; takes some 50 ms of a thread. Raises `PeopleUnusable`."""
        if mistake_in_pin(pin):
            return None
        content = self._read()
        return _owner(content, "pin", _of_pin(pin, content.salt))

    def by_token(self, token: str) -> Person | None:
        """Whose token this is; raises `PeopleUnusable`."""
        return _owner(self._read(), "token", _of_token(token))

    def add(self, name: str, role: Role, pin: str) -> None:
        """Adds a person; raises `Refused` or `PeopleUnusable`."""
        if mistake := mistake_in_pin(pin):
            raise Refused(mistake)
        content = self._read()
        kept = _of_pin(pin, content.salt)
        if _owner(content, "pin", kept) is not None:
            raise Refused("somebody else has this PIN, by which the page tells people apart: choose another one")
        self._append(content, _Entry(name=name, role=role, pin=kept, since=_now()))

    def add_token(self, name: str, role: Role) -> str:
        """Adds a program and returns its token, which nobody can read again; raises `Refused` or `PeopleUnusable`."""
        token = secrets.token_urlsafe(_TOKEN)
        self._append(self._read(), _Entry(name=name, role=role, token=_of_token(token), since=_now()))
        return token

    def remove(self, name: str) -> None:
        """Raises `Refused` or `PeopleUnusable`."""
        content = self._read()
        kept = tuple(each for each in content.people if each.name.casefold() != name.casefold())
        if len(kept) == len(content.people):
            raise Refused(f"nobody is called {name[:LONGEST_NAME]}; `station people list` shows the names")
        self._write(content.model_copy(update={"people": kept}))

    def _append(self, content: _People, entry: _Entry) -> None:
        if mistake := mistake_in_name(entry.name):
            raise Refused(mistake)
        if any(each.name.casefold() == entry.name.casefold() for each in content.people):
            raise Refused(f"{entry.name} is there already: remove it first to give it another PIN, token or role")
        if len(content.people) >= MOST_PEOPLE:
            raise Refused(f"the file has {MOST_PEOPLE} people, which is all that it may have")
        self._write(content.model_copy(update={"people": (*content.people, entry)}))

    def _read(self) -> _People:
        try:
            mode = self.path.stat().st_mode
            text = plain_files.read(self.path, LARGEST)
        except FileNotFoundError:
            return _People(salt=secrets.token_hex(16))
        except OSError as exc:
            raise PeopleUnusable(f"{self.path} cannot be read: {exc.strerror or exc}") from exc
        if stat.S_IMODE(mode) & 0o077:
            raise PeopleUnusable(f"{self.path} can be read by others: chmod 600 {self.path}")
        if not text:  # made, and the computer stopped before it was written
            return _People(salt=secrets.token_hex(16))
        try:
            return _People.model_validate_json(text)
        except ValidationError as exc:
            first = exc.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "the file"
            raise PeopleUnusable(f"{self.path} is no file of `station people`: {place}: {first['msg']}") from None

    def _write(self, content: _People) -> None:
        try:
            if not self.path.exists():
                self._make()
            edited_file.replace(self.path, content.model_dump_json(indent=1).encode() + b"\n")
        except OSError as exc:
            raise PeopleUnusable(f"{self.path} cannot be written: {exc.strerror or exc}") from exc

    def _make(self) -> None:
        """An empty file that only its folder's owner can read, who is the daemon's account whoever makes it."""
        descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            folder = self.path.parent.stat()
            if os.geteuid() == 0:
                os.fchown(descriptor, folder.st_uid, folder.st_gid)
        finally:
            os.close(descriptor)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _of_pin(pin: str, salt: str) -> str:
    made = hashlib.scrypt(
        pin.encode(), salt=bytes.fromhex(salt), n=_COST, r=_BLOCK, p=_PARALLEL, maxmem=_MEMORY, dklen=32
    )
    return made.hex()


def _of_token(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _owner(content: _People, field: Literal["pin", "token"], kept: str) -> Person | None:
    for each in content.people:
        there: str | None = getattr(each, field)
        if there is not None and hmac.compare_digest(there, kept):
            return Person(each.name, each.role)
    return None
