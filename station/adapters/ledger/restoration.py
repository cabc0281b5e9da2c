# SPDX-License-Identifier: Apache-2.0
"""Restorations: a ledger put back, moved or lost becomes a new incarnation, without serial numbers of the old one."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from station.adapters.ledger import incarnations, pairing, shared_state, soundness, sqlite
from station.adapters.ledger.custody import differences
from station.adapters.ledger.incarnations import Standing
from station.adapters.ledger.place import Place
from station.adapters.ledger.register import Mark, Record, Register
from station.adapters.ledger.station_keys import StationKeys
from station.adapters.ledger.vault import Vault


@dataclass(frozen=True, slots=True)
class Finding:
    """The ledger's place as it is before the restoration.

    `identities` is None if there is no ledger; `least` is the least number of serial numbers to skip: none of a `shared` ledger,
    since the centre burns what it has given.
    """

    identities: int | None
    reasons: tuple[str, ...]
    least: int
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Restored:
    """The result of a restoration; `lots` are the next serial numbers of the known lots, counted from 1."""

    incarnation: int
    lots: Mapping[str, int]
    skipped: int


def examine(path: Path, register: Register, *, shared: bool = False) -> Finding:
    """Looks at the ledger's place and changes nothing. `shared`: the station shares its numbers, also if the ledger is lost.

    Raises `LedgerUnavailable`, also while a daemon holds the ledger, and `LedgerDamaged`.
    """
    if not path.exists():
        return _nothing_found(path, register, shared=shared)
    with sqlite.held(path):
        pass
    with sqlite.reading(path) as connection:
        soundness.check(connection, path)
        with connection.begin():
            if not incarnations.has_tables(connection):
                return _nothing_found(path, register, shared=shared)
            return _found(connection, path, register)


def restore(
    path: Path,
    station: str | None,
    register: Register,
    *,
    skip: int,
    new_key: bool,
    key: Path | None = None,
    shared: bool = False,
) -> Restored:
    """Opens the ledger wherever it lies, as a new incarnation; raises `ValueError` where `skip` is too small.

    Makes an empty ledger if there is none. Keeps the key, so that no pair of passcode and discriminator comes again;
    `new_key` replaces a lost key. Without a `station` the ledger keeps its station.
    """
    finding = examine(path, register, shared=shared)
    if skip < finding.least:
        raise ValueError(f"at least {finding.least} serial numbers must be skipped")
    keys = StationKeys.of(register.folder, path, key)
    with sqlite.writing(path, keys=keys) as connection, sqlite.translated(path):
        with connection.begin():
            vault = Vault.of(path, connection, keys)
            found = incarnations.standing(connection)
            none_given_out = incarnations.given_out(connection) == 0
        if new_key:
            pairing.renew(path, connection, vault)
        pairing.PairingKey.beside(path, connection, vault, make=none_given_out)
        known = _known(path, found, register)
        with connection.begin():
            marks = [record.mark for record in known] + ([found.mark] if found else [])
            mark = Mark(
                incarnation=max((each.incarnation for each in marks), default=0) + 1,
                tick=max((each.tick for each in marks), default=0) + 1,
                identities=incarnations.given_out(connection),
                skipped=max((each.skipped for each in marks), default=0) + skip,
            )
            lots = incarnations.skip(connection, skip)
            ledger = found.ledger if found else secrets.token_hex(16)
            incarnations.begin(connection, ledger, mark, Place.of(path))
            shared_state.restored(connection)
            mark = incarnations.advance(connection, in_order=True)
        for record in known:
            if record.ledger != ledger:
                register.write(Record(record.ledger, record.station, None, record.mark))
        station = station or next((record.station for record in known), "")
        register.write(Record(ledger, station, os.path.realpath(path), mark))
    return Restored(mark.incarnation, {lot: index + 1 for lot, index in lots.items()}, mark.skipped)


def _nothing_found(path: Path, register: Register, *, shared: bool) -> Finding:
    known = register.at(path)
    if shared:
        return Finding(None, (), least=0, shared=True)
    return Finding(None, (), known.mark.identities + known.mark.skipped if known else 0)


def _found(connection: Connection, path: Path, register: Register) -> Finding:
    found = incarnations.standing(connection)
    identities = incarnations.given_out(connection)
    reasons = tuple(differences(path, found, register))
    known = _known(path, found, register)
    missing = max((_missing(record, found, identities) for record in known), default=0)
    if shared_state.is_shared(connection):
        return Finding(identities, reasons, least=0, shared=True)
    whole = bool(known) and found is not None and all(_is_of(record, found) for record in known)
    return Finding(identities, reasons, max(missing, 0 if whole or not reasons else 1))


def _known(path: Path, found: Standing | None, register: Register) -> list[Record]:
    """The machine's records of the ledger that should be at this path, and of the one that is there."""
    records = (register.at(path), register.of(found.ledger) if found else None)
    return [record for record in records if record is not None]


def _missing(record: Record, found: Standing | None, identities: int) -> int:
    """How many serial numbers of the recorded ledger the found one may give out again; all, if it is another ledger."""
    taken = record.mark.identities + record.mark.skipped
    if found is None:  # of a version without ids: an older copy of this one
        return taken - identities
    return taken - identities - found.mark.skipped if record.ledger == found.ledger else taken


def _is_of(record: Record, found: Standing) -> bool:
    return record.ledger == found.ledger and record.mark == found.mark
