# SPDX-License-Identifier: Apache-2.0
"""No two identities share passcode and discriminator.

The ledger keeps a keyed hash of each pair, which reveals neither. The key is a file beside the ledger; a backup needs
both.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, bindparam, select, update

from station.adapters.ledger import durable, tables
from station.domain.identity import OnboardingSecrets
from station.faults.line import LedgerUnavailable

KEY_SIZE = 32


def key_file(ledger: Path) -> Path:
    return ledger.with_name(f"{ledger.name}.key")


@dataclass(frozen=True, slots=True)
class PairingKey:
    """The key of one ledger's hashes."""

    key: bytes = field(repr=False)

    @classmethod
    def beside(cls, path: Path, connection: Connection, *, make: bool) -> "PairingKey":
        """The key of the ledger at `path`; raises `LedgerUnavailable`. A ledger that has just been made gets one.

        With another key the constraint would compare nothing, so the key must fit the identities in the ledger.
        """
        file = key_file(path)
        known = _any_pair(connection)
        try:
            if make and not file.exists() and known is None:
                durable.write(file, secrets.token_bytes(KEY_SIZE))
                durable.settle(file.parent)
            key = cls(file.read_bytes())
        except OSError as exc:
            raise LedgerUnavailable(
                f"{file}: {exc.strerror}; it belongs to the ledger, restore it. If there is none any more:"
                " station ledger restored --new-key"
            ) from exc
        if len(key.key) != KEY_SIZE or (known is not None and not key.fits(*known)):
            raise LedgerUnavailable(f"{file} is not the key of this ledger; restore the right one")
        return key

    def hash_of(self, onboarding: OnboardingSecrets) -> bytes:
        return self.hash(onboarding.passcode.value, onboarding.discriminator.value)

    def fits(self, passcode: int, discriminator: int, expected: bytes) -> bool:
        return hmac.compare_digest(self.hash(passcode, discriminator), expected)

    def hash(self, passcode: int, discriminator: int) -> bytes:
        pair = passcode.to_bytes(4, "little") + discriminator.to_bytes(2, "little")
        return hmac.digest(self.key, pair, hashlib.sha256)


def renew(ledger: Path, connection: Connection) -> None:
    """Makes a new key for a ledger that has lost its own, and hashes every pair in the ledger anew."""
    key = PairingKey(secrets.token_bytes(KEY_SIZE))
    identity, secret = tables.identity, tables.onboarding_secret
    query = select(identity.c.id, secret.c.passcode, identity.c.discriminator).join_from(identity, secret, isouter=True)
    renewed = update(identity).where(identity.c.id == bindparam("number")).values(pairing_hash=bindparam("renewed"))
    file = key_file(ledger)
    with connection.begin():
        rows = connection.execute(query).all()
        if any(row.passcode is None for row in rows):
            raise LedgerUnavailable(
                f"{file}: some passcodes were forgotten, so that no new key can be made; restore it"
            )
        pairs = [{"number": row.id, "renewed": key.hash(row.passcode, row.discriminator)} for row in rows]
        if pairs:
            connection.execute(renewed, pairs)
        # until the commit the ledger cannot be opened; then `--new-key` can be given again
        durable.write(file, key.key)
        durable.settle(file.parent)


def _any_pair(connection: Connection) -> tuple[int, int, bytes] | None:
    identity, secret = tables.identity, tables.onboarding_secret
    query = select(secret.c.passcode, identity.c.discriminator, identity.c.pairing_hash).join_from(identity, secret)
    with connection.begin():
        row = connection.execute(query.limit(1)).first()
    return None if row is None else (row.passcode, row.discriminator, row.pairing_hash)
