# SPDX-License-Identifier: Apache-2.0
"""Recovery of a lost answer: the PKI's own list is asked before the key is asked for again, which buys nothing."""

from collections.abc import Callable, Sequence

import structlog

from station.adapters.pki.enroller import Enroller
from station.domain.credentials import Credentials
from station.faults.line import CredentialsInvalid
from station.interfaces import IssuanceJournal

Check = Callable[[bytes, Credentials], None]
"""Raises `CredentialsInvalid` unless the credentials are for the request (PKCS#10, DER) and a commissioner accepts them."""

log = structlog.get_logger()


class Recovery:
    """Finds the certificates that lost answers would have brought."""

    def __init__(self, enroller: Enroller, pai: bytes, journal: IssuanceJournal, check: Check) -> None:
        self._enroller = enroller
        self._pai = pai
        self._journal = journal
        self._check = check

    async def credentials(self, key: str, csr: bytes) -> Credentials | None:
        """The credentials for this key, recorded as live; None if no answer was lost, or the PKI's list has none for it.

        Further certificates for the key are recorded as surplus. Raises `CredentialsInvalid` if a new one is among them and
        none is usable, and faults of the line.
        """
        if not await self._journal.is_unanswered(key):
            return None
        found = [Credentials(each, self._pai) for each in await self._enroller.issued_for(csr) or ()]
        usable, refusal = await self._first_usable(key, csr, found)
        if usable is not None:
            log.info("dac.recovered", key=key, dac=usable.dac_serial_number)
        new = await self._journal.record_surplus(key, [each.dac for each in found if each is not usable])
        if usable is None and new and refusal is not None:
            raise refusal
        return usable

    async def _first_usable(
        self, key: str, csr: bytes, found: Sequence[Credentials]
    ) -> tuple[Credentials | None, CredentialsInvalid | None]:
        """The first that is usable, recorded as live; and why the one before it is none, such as for another unit's serial number."""
        refusal = None
        for credentials in found:
            try:
                self._check(csr, credentials)
                await self._journal.record_issued(key, credentials)
            except CredentialsInvalid as fault:
                refusal = fault
                continue
            return credentials, refusal
        return None, refusal
