# SPDX-License-Identifier: Apache-2.0
"""No two identities share passcode and discriminator.

The ledger keeps a mark of each pair: the discriminator, which units advertise anyway, and twelve bits of a keyed hash of both. A
pair whose mark is taken is drawn again. So uniqueness needs no secret that somebody could try all passcodes against: for
each mark there are some 24,000 passcodes, whoever has the key, and marks stay when a unit is forgotten. The key is a file
beside the ledger; a backup needs both.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, bindparam, inspect, select, update

from station.adapters.ledger import durable, tables, vault
from station.adapters.ledger.vault import Vault
from station.domain.identity import OnboardingSecrets
from station.faults.line import LedgerUnavailable
from station.matter.onboarding.passcode import Discriminator, Passcode

KEY_SIZE = 32
MARK_BITS = 12  # with the discriminator 16.7 million marks: of a million units, one draft in sixteen is drawn again
MOST_DRAFTS = 1000


def key_file(ledger: Path) -> Path:
    return ledger.with_name(f"{ledger.name}.key")


def mark_of(discriminator: int, pair_hash: bytes) -> bytes:
    """The mark of a pair with this keyed hash."""
    high_bits = int.from_bytes(pair_hash[:2], "big") >> (16 - MARK_BITS)
    return (discriminator << MARK_BITS | high_bits).to_bytes(3, "big")


def apart(marks: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """The marks of identities that were not drawn by marks: where several have one mark, all but the first get longer ones.

    A new pair needs a mark that is none of these, and the first one's is as it should be.
    """
    taken = set()
    for number, mark in marks:
        yield number, mark + number.to_bytes(8, "big") if mark in taken else mark
        taken.add(mark)


@dataclass(frozen=True, slots=True)
class PairingKey:
    """The key of one ledger's marks."""

    key: bytes = field(repr=False)

    @classmethod
    def beside(cls, path: Path, connection: Connection, vault: Vault | None = None, *, make: bool) -> "PairingKey":
        """The key of the ledger at `path`; raises `LedgerUnavailable`. A ledger that has just been made gets one.

        With another key the constraint would compare nothing, so the ledger keeps the key's id. A ledger of an earlier
        version, which has none, is given one once the key fits its identities, which needs the `vault`.
        """
        file = key_file(path)
        known = _known_id(connection)
        pairs = [] if vault is None or known else _some_pairs(connection, vault)
        try:
            if make and not file.exists() and not pairs and known is None:
                durable.write(file, secrets.token_bytes(KEY_SIZE))
                durable.settle(file.parent)
            key = cls(file.read_bytes())
        except OSError as exc:
            raise LedgerUnavailable(
                f"{file}: {exc.strerror}; it belongs to the ledger, restore it. If there is none any more:"
                " station ledger restored --new-key"
            ) from exc
        fits = key.id == known if known else all(key.mark(pair) == mark[:3] for pair, mark in pairs)
        if len(key.key) != KEY_SIZE or not fits:
            raise LedgerUnavailable(f"{file} is not the key of this ledger; restore the right one")
        if vault is not None and known is None:
            with connection.begin():
                connection.execute(update(tables.secrets_state).values(pairing_id=key.id))
        return key

    @property
    def id(self) -> str:
        return hmac.digest(self.key, b"matter provisioning station: id of the key", hashlib.sha256).hex()[:16]

    def mark(self, onboarding: OnboardingSecrets) -> bytes:
        return self.mark_of(onboarding.passcode, onboarding.discriminator)

    def mark_of(self, passcode: Passcode, discriminator: Discriminator) -> bytes:
        pair = passcode.value.to_bytes(4, "little") + discriminator.value.to_bytes(2, "little")
        return mark_of(discriminator.value, hmac.digest(self.key, pair, hashlib.sha256))


def renew(ledger: Path, connection: Connection, opened: Vault) -> None:
    """Makes a new key for a ledger that has lost its own, and marks every pair in the ledger anew."""
    key = PairingKey(secrets.token_bytes(KEY_SIZE))
    identity = tables.identity
    renewed = update(identity).where(identity.c.id == bindparam("number")).values(pairing_hash=bindparam("renewed"))
    file = key_file(ledger)
    with connection.begin():
        pairs = []
        for number, onboarding in vault.remembered(connection, opened):
            if onboarding is None:
                raise LedgerUnavailable(
                    f"{file}: some passcodes were forgotten, so that no new key can be made; restore it"
                )
            pairs.append((number, key.mark(onboarding)))
        if pairs:
            # in two goes, since a new mark may be another identity's old one
            connection.execute(
                renewed, [{"number": number, "renewed": b"old " + mark + b" %d" % number} for number, mark in pairs]
            )
            connection.execute(renewed, [{"number": number, "renewed": mark} for number, mark in apart(pairs)])
        connection.execute(update(tables.secrets_state).values(pairing_id=key.id))
        # until the commit the ledger cannot be opened; then `--new-key` can be given again
        durable.write(file, key.key)
        durable.settle(file.parent)


def _known_id(connection: Connection) -> str | None:
    """The id of this ledger's key; None if it was not recorded yet."""
    with connection.begin():
        if not inspect(connection).has_table(tables.secrets_state.name):
            return None  # of an earlier version
        return connection.scalar(select(tables.secrets_state.c.pairing_id))


def _some_pairs(connection: Connection, opened: Vault) -> list[tuple[OnboardingSecrets, bytes]]:
    """The first few pairs that are remembered, with their marks: one alone would fit one wrong key in some thousands."""
    identity, sealed = tables.identity, tables.sealed_secret
    query = select(identity.c.id, identity.c.uid, identity.c.discriminator, identity.c.pairing_hash, sealed)
    remembered = query.join_from(identity, sealed).where(sealed.c.key_id != vault.FORGOTTEN)
    with connection.begin():
        found = connection.execute(remembered.order_by(identity.c.id).limit(8)).all()
        return [(vault.of_row(opened, row), row.pairing_hash) for row in found]
