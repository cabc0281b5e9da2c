# SPDX-License-Identifier: Apache-2.0
"""Signs the ledger's chain by time, at a lot's end and at the daemon's, copies what it signed, and compares the copies at the start."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import structlog

from station.adapters.ledger import Ledger, checkpoint_file
from station.adapters.ledger.checkpoint_file import signing_key
from station.adapters.ledger.key_file import KeyUnusable
from station.adapters.ledger.timestamps import NotAStamp, StampAuthority
from station.config.audit import AuditSection
from station.config.problems import ConfigurationInvalid, Problem
from station.daemon import control
from station.daemon.timestamping import Timestamping
from station.domain.checkpoint import Signed, SigningKey
from station.faults import LineFault
from station.faults.line import LedgerRolledBack

log = structlog.get_logger()

LAST_WITHIN = 2.0  # seconds for the checkpoint at the daemon's end: the disk may be the reason for its end

REMEDY = "Put the newest ledger back, or go on with this one: station audit accept --reason ..."


class Checkpointing:
    """`key` is None where nothing is signed, `file` where nothing is copied, `authority` where nothing is stamped."""

    def __init__(
        self,
        ledger: Ledger,
        every: float,
        key: SigningKey | None,
        file: Path | None,
        authority: Timestamping | None = None,
    ) -> None:
        self._ledger = ledger
        self._every = every
        self._key = key
        self._file = file
        self._authority = authority
        self._unstamped: Signed | None = None
        self._news = asyncio.Event()  # that there is something to stamp
        self._uncopied: Signed | None = None
        self._unsigned: str | None = None  # why the last attempt did not sign
        self._lock = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def opened(cls, ledger: Ledger, section: AuditSection, station: str) -> AsyncIterator[Self]:
        """Signs once more when the block ends. Raises `LedgerRolledBack`, and `ConfigurationInvalid` for an unusable key."""
        try:
            key = await asyncio.to_thread(signing_key, section.signing_key, section.signing_token)
        except KeyUnusable as exc:
            setting = "signing_key" if section.signing_token is None else "signing_token"
            raise ConfigurationInvalid([Problem("the configuration", f"audit.{setting}", str(exc))]) from exc
        file = None if section.copy_to is None else checkpoint_file.file_of(section.copy_to, station)
        made = cls(ledger, section.every_minutes * 60, key, file, _authority(section))
        await made.compare()
        await made.take_up()
        try:
            yield made
        finally:
            await made.end()

    async def compare(self) -> None:
        """Raises `LedgerRolledBack` where the newest copy is not of this ledger, or newer, and nobody has accepted that."""
        if self._file is None:
            return
        try:
            newest = await asyncio.to_thread(checkpoint_file.newest, self._file, self._public_key)
        except OSError as exc:
            log.warning("audit.copies_unreadable", file=str(self._file), reason=exc.strerror)
            return
        for each in newest:
            if (different := await self._ledger.audit.difference(each)) is not None:
                raise LedgerRolledBack(f"{self._file}: {different}. {REMEDY}")

    async def take_up(self) -> None:
        """The last checkpoint of an earlier run, which nobody has stamped, as a daemon does not wait for that at its end."""
        newest = None if self._authority is None else await self._ledger.audit.newest()
        if newest is not None and newest.timestamp is None:
            self._to_stamp(newest)

    async def run(self) -> None:
        while True:
            await self.once()
            await asyncio.sleep(self._every)

    async def once(self) -> Signed | None:
        """Signs what was written since the last checkpoint, and copies it. A failure is logged, and tried again later."""
        if self._key is None:
            return None
        signed, self._unsigned = None, None
        async with self._lock:
            try:
                signed = await self._ledger.audit.checkpoint(self._key, datetime.now(UTC))
                if signed is not None:
                    log.info("audit.checkpoint", line=signed.checkpoint.number)
                    self._uncopied = signed
                    self._to_stamp(signed)
                await self._copy()
            except LineFault as fault:
                self._unsigned = str(fault)
                log.warning("audit.failed", fault=fault.code)
            except KeyUnusable as exc:
                self._unsigned = str(exc)
                log.warning("audit.failed", reason=str(exc))
            except OSError as exc:
                log.warning("audit.failed", reason=f"{self._file}: {exc.strerror}")
        return signed

    async def run_stamping(self) -> None:
        """Has the authority stamp each checkpoint. While it is away the newest one is tried again, which covers those before."""
        while True:
            await self.stamp()
            try:
                async with asyncio.timeout(self._every):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def stamp(self) -> None:
        """Asks once for the stamp of the newest checkpoint that has none. A failure is logged, and tried again later."""
        self._news.clear()
        signed = self._unstamped
        if signed is None or self._authority is None:
            return
        try:
            stamped = await self._authority.stamped(signed)
            async with self._lock:
                await self._ledger.audit.stamp(stamped)
                if self._file is not None:
                    await asyncio.to_thread(checkpoint_file.append, self._file, stamped)
        except NotAStamp as exc:
            log.warning("audit.not_stamped", line=signed.checkpoint.number, reason=str(exc))
        except LineFault as fault:
            log.warning("audit.not_stamped", line=signed.checkpoint.number, fault=fault.code)
        except OSError as exc:
            log.warning("audit.not_stamped", line=signed.checkpoint.number, reason=f"{self._file}: {exc.strerror}")
        else:
            log.info("audit.stamped", line=signed.checkpoint.number)
            if self._unstamped is signed:
                self._unstamped = None

    def _to_stamp(self, signed: Signed) -> None:
        self._unstamped = signed
        self._news.set()

    async def end(self) -> None:
        """The last checkpoint of this daemon."""
        try:
            async with asyncio.timeout(LAST_WITHIN):
                await self.once()
        except TimeoutError:
            log.warning("audit.failed", reason=f"the ledger was not written within {LAST_WITHIN:g} s")

    async def asked(self, _question: Mapping[str, object]) -> control.Answer:
        """The command of the control socket."""
        if self._key is None:
            raise control.CommandRefused(
                "neither [audit] signing_key nor signing_token is set, so there is nothing to sign with"
            )
        signed = await self.once()
        if self._unsigned is not None:
            raise control.CommandRefused(self._unsigned)
        if self._uncopied is not None and self._file is not None:
            raise control.CommandRefused(f"the checkpoint could not be copied to {self._file}: see the daemon's log")
        return {"line": None if signed is None else signed.checkpoint.number}

    @property
    def _public_key(self) -> bytes | None:
        return None if self._key is None else self._key.public_key().public_bytes_raw()

    async def _copy(self) -> None:
        if self._uncopied is not None and self._file is not None:
            await asyncio.to_thread(checkpoint_file.append, self._file, self._uncopied)
        self._uncopied = None


def _authority(section: AuditSection) -> Timestamping | None:
    """Raises `ConfigurationInvalid`."""
    if section.timestamp_url is None or section.timestamp_ca is None:
        return None
    try:
        return Timestamping(section.timestamp_url, StampAuthority.of(section.timestamp_ca))
    except KeyUnusable as exc:
        raise ConfigurationInvalid([Problem("the configuration", "audit.timestamp_ca", str(exc))]) from exc
