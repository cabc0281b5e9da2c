"""No two identities share passcode and discriminator: the ledger keeps a keyed hash of the pair, which tells nothing.

The key is a file beside the ledger; a backup needs both.
"""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, select

from station.adapters.ledger import tables
from station.domain.identity import OnboardingSecrets
from station.faults.line import LedgerUnavailable

KEY_SIZE = 32


@dataclass(frozen=True, slots=True)
class PairingKey:
    """The key of one ledger's hashes."""

    key: bytes = field(repr=False)

    @classmethod
    def beside(cls, path: Path, connection: Connection) -> "PairingKey":
        """The key of the ledger at `path`, made if there are no identities yet; raises `LedgerUnavailable`.

        With another key the constraint would hold nothing, so the key must fit the identities that there are.
        """
        file = path.with_name(f"{path.name}.key")
        known = _any_pair(connection)
        try:
            if not file.exists() and known is None:
                _make(file)
            key = cls(file.read_bytes())
        except OSError as exc:
            raise LedgerUnavailable(f"{file}: {exc.strerror}; it belongs to the ledger, restore it") from exc
        if len(key.key) != KEY_SIZE or (known is not None and not key.fits(*known)):
            raise LedgerUnavailable(f"{file} is not the key of this ledger; restore the right one")
        return key

    def hash_of(self, onboarding: OnboardingSecrets) -> bytes:
        return self._hash(onboarding.passcode.value, onboarding.discriminator.value)

    def fits(self, passcode: int, discriminator: int, expected: bytes) -> bool:
        return hmac.compare_digest(self._hash(passcode, discriminator), expected)

    def _hash(self, passcode: int, discriminator: int) -> bytes:
        pair = passcode.to_bytes(4, "little") + discriminator.to_bytes(2, "little")
        return hmac.digest(self.key, pair, hashlib.sha256)


def _any_pair(connection: Connection) -> tuple[int, int, bytes] | None:
    identity, secret = tables.identity, tables.onboarding_secret
    query = select(secret.c.passcode, identity.c.discriminator, identity.c.pairing_hash).join_from(identity, secret)
    with connection.begin():
        row = connection.execute(query.limit(1)).first()
    return None if row is None else (row.passcode, row.discriminator, row.pairing_hash)


def _make(file: Path) -> None:
    """Whole or not at all, even if the power goes."""
    new = file.with_name(f"{file.name}.new")
    descriptor = os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(KEY_SIZE))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.rename(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
