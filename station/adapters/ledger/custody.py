# SPDX-License-Identifier: Apache-2.0
"""Guards a ledger against being replaced by an older copy, so that it gives out nothing twice."""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from station.adapters.ledger import incarnations, soundness, sqlite
from station.adapters.ledger.incarnations import Standing
from station.adapters.ledger.place import Place
from station.adapters.ledger.register import Mark, Record, Register, Witness
from station.adapters.ledger.watched_files import WatchedFiles
from station.adapters.ledger.writer import UnitOfWork, Writer
from station.faults import LineFault
from station.faults.line import LedgerMoved

T = TypeVar("T")

log = structlog.get_logger()

_RESTORED = "Put the newest one back, or skip serial numbers that may be taken: station ledger restored --skip N"


class Gate:
    """Examines a ledger before the station writes into it (`sqlite.Gate`)."""

    def __init__(self, path: Path, station: str, register: Register, *, only: bool) -> None:
        self._path = path
        self._station = station
        self._register = register
        self._only = only

    def before(self) -> None:
        """Raises `LedgerMoved` if the register expects a ledger here and there is none; makes no file."""
        if not self._path.exists():
            self._check_unused()

    def opened(self, connection: Connection) -> None:
        """Raises `LedgerMoved` or `LedgerDamaged`."""
        with connection.begin():
            found = incarnations.standing(connection)
            has_tables = incarnations.has_tables(connection)
        if not has_tables:
            self._check_unused()
            return
        reasons = list(differences(self._path, found, self._register))
        if found is None and (other := self._another()):  # a copy from before the upgrade
            reasons.append(f"station {self._station} has its ledger at {other.path}")
        if reasons:
            raise LedgerMoved(f"{self._path}: {'; '.join(reasons)}. {_RESTORED}")
        if found is None or not found.in_order:
            self._examine(connection)
        if found is None:
            log.info("ledger.place_adopted", file=str(self._path))

    def _check_unused(self) -> None:
        """Whether a ledger may begin at this path."""
        key = self._path.with_name(f"{self._path.name}.key")
        if known := self._register.at(self._path):
            raise LedgerMoved(
                f"{self._path}: there is no ledger, or an empty one, but {known.mark.identities} identities were given out"
                f" from this place by station {known.station}. Is the folder mounted? {_RESTORED}"
            )
        if key.exists():
            raise LedgerMoved(f"{self._path}: there is no ledger, or an empty one, but {key} is there. {_RESTORED}")
        if other := self._another():
            raise LedgerMoved(
                f"{self._path}: there is no ledger, but station {self._station} has one at {other.path}. Set the"
                f" configuration's state folder back, or give this station another name. {_RESTORED}"
            )

    def _another(self) -> Record | None:
        """The ledger that this station has elsewhere on this machine."""
        other = self._register.of_station(self._station) if self._only else None
        return None if other is None or other.path == os.path.realpath(self._path) else other

    def _examine(self, connection: Connection) -> None:
        """Checks the file if the last daemon did not close the ledger, since power or disk may have failed."""
        log.info("ledger.checking", file=str(self._path))
        began = time.monotonic()
        soundness.check(connection, self._path)
        log.info("ledger.checked", file=str(self._path), seconds=round(time.monotonic() - began, 3))


def differences(path: Path, found: Standing | None, register: Register) -> Iterator[str]:
    """The reason why the ledger at this path is not the one that this machine left there; None if it is."""
    here = register.at(path)
    if found is None:  # the ledger is of a version that did not record a place
        if here is not None:
            yield f"it is older than the ledger that was here, from which {here.mark.identities} identities were given out"
        return
    yield from found.place.differences(Place.of(path))
    if here is not None and here.ledger != found.ledger:
        yield f"another ledger was here, from which {here.mark.identities} identities were given out"
    known = register.of(found.ledger)
    if known is None and found.mark.tick == 1:
        return  # the power failed after the ledger was made and before its first record: it has given out nothing
    if known is None:
        yield f"this machine has no record of this ledger in {register}"
    elif found.mark.incarnation != known.mark.incarnation:
        yield f"it is of incarnation {found.mark.incarnation}, and this machine knows {known.mark.incarnation}"
    elif found.mark.tick < known.mark.tick or found.mark.identities < known.mark.identities:
        yield (
            f"it is older than the ledger that was here: {known.mark.identities} identities were given out, and it knows"
            f" {found.mark.identities}"
        )


class Custody:
    """The ledger's writer, which stops if the ledger's files move.

    The witness records all work that must not be repeated.
    """

    def __init__(self, writer: Writer, files: WatchedFiles, witness: Witness) -> None:
        self.writer = writer
        self._files = files
        self._witness = witness

    @classmethod
    @contextmanager
    def taken(
        cls, connection: Connection, path: Path, station: str, register: Register, patience: float
    ) -> Iterator[Self]:
        """Opens the custody for the block. The gate has passed the ledger, and its tables are up to date.

        The writer tries for `patience` seconds.
        """
        with sqlite.translated(path), connection.begin():
            found = incarnations.standing(connection)
            if found is None:
                found = incarnations.adopt(connection, Place.of(path))
                mark = found.mark
            elif register.of(found.ledger) is None:
                mark = found.mark  # nothing was given out, and it stays such a ledger until the register has it
            else:
                mark = incarnations.advance(connection)
        record = Record(found.ledger, station, os.path.realpath(path), mark)
        witness = Witness.begun(register, record)
        failure: LineFault | None = None
        try:
            with Writer.running(connection, path, patience) as writer:
                try:
                    yield cls(writer, WatchedFiles(path), witness)
                finally:
                    failure = writer.failure
        finally:
            if failure is None:  # without this mark the next daemon examines the ledger
                _close(connection, witness)

    def check_files(self) -> None:
        """Raises `LedgerLost` if the files are no longer where they were; costs some microseconds."""
        self._files.check()

    @property
    def lost(self) -> LineFault | None:
        """The fault, if the files are no longer where they were."""
        try:
            self.check_files()
        except LineFault as fault:
            return fault
        return None

    async def check(self) -> None:
        """Raises the `LineFault` that keeps the ledger from giving out identities."""
        self.check_files()
        await asyncio.to_thread(self._witness.catch_up)

    async def do(self, work: UnitOfWork[T]) -> T:
        """`Writer.do`, if the ledger's files are where they were; raises `LedgerLost`."""
        return await self.writer.do(partial(self._looked_after, work))

    async def do_once(self, work: UnitOfWork[T]) -> T:
        """Like `do`, for work that must never be repeated: returns only after the witness has recorded it.

        The writer's thread tells the witness, which waits for the disk: one record for all work of a group.
        """

        def counted(connection: Connection) -> tuple[T, Mark]:
            return self._looked_after(work, connection), incarnations.advance(connection)

        result, _ = await self.writer.do(counted, lambda told: self._witness.see(told[1]))
        return result

    async def do_anyhow(self, work: UnitOfWork[T]) -> T:
        """`Writer.do` even if the files have moved.

        For an attempt's beginning and verdict, without which a slot cannot go on, and for a person's deeds.
        """
        return await self.writer.do(work)

    def _looked_after(self, work: UnitOfWork[T], connection: Connection) -> T:
        self.check_files()
        return work(connection)


def _close(connection: Connection, witness: Witness) -> None:
    try:
        with connection.begin():
            mark = incarnations.advance(connection, in_order=True)
        witness.see(mark)
    except (SQLAlchemyError, LineFault) as exc:  # only a log line: the next daemon examines the ledger
        log.error("ledger.left_open", reason=str(exc))  # noqa: TRY400  a traceback adds nothing to the reason
