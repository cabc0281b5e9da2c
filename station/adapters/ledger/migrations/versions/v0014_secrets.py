# SPDX-License-Identifier: Apache-2.0
"""Onboarding secrets are sealed, pairs keep a short mark, and people's deeds on secrets are recorded.

The file is scrubbed after this transaction (`scrubbing`), since SQLite leaves old content in its pages.
"""

import sqlalchemy as sa
from alembic import context, op

from station.adapters.ledger import pairing, sealing
from station.adapters.ledger.station_keys import StationKeys
from station.domain.identity import OnboardingSecrets
from station.domain.target import UID
from station.matter.onboarding.passcode import Discriminator, Passcode

revision = "0014"
down_revision = "0013"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
AT_ONCE = 1000


def upgrade() -> None:
    keys = context.config.attributes["keys"]
    assert isinstance(keys, StationKeys)
    key = keys.made()
    _tables()
    sealed = _seal(op.get_bind(), key)
    _shorten(op.get_bind())
    op.drop_table("onboarding_secret")
    op.get_bind().execute(
        sa.text("INSERT INTO secrets_state (one, key_id, scrub) VALUES (1, :id, :scrub)"),
        {"id": key.id, "scrub": sealed},
    )


def _tables() -> None:
    op.create_table(
        "sealed_secret",
        sa.Column("identity_id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(60), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("identity_id", name="pk_sealed_secret"),
        sa.ForeignKeyConstraint(["identity_id"], ["identity.id"], name="fk_sealed_secret_identity_id"),
    )
    op.create_table(
        "secrets_state",
        sa.Column("one", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("retiring_id", sa.String(16)),
        sa.Column("pairing_id", sa.String(16)),
        sa.Column("scrub", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_secrets_state"),
        sa.CheckConstraint("one = 1", name="ck_secrets_state_one"),
    )
    op.create_table(
        "secrets_deed",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("station", sa.String(64), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("deed", sa.String(16), nullable=False),
        sa.Column("uid", sa.String(24)),
        sa.Column("lot", sa.String(32)),
        sa.Column("units", sa.Integer, nullable=False),
        sa.Column("recipient", sa.String(64)),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_secrets_deed"),
        sa.CheckConstraint("deed IN ('show', 'export', 'forget', 'rotate')", name="ck_secrets_deed_deed"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_secrets_deed_uid", "secrets_deed", ["uid"])
    if op.get_bind().dialect.name == "sqlite":
        for deed in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER secrets_deed_no_{deed.lower()} BEFORE {deed} ON secrets_deed "
                "BEGIN SELECT RAISE(ABORT, 'a deed is never edited'); END"
            )


def _seal(connection: sa.Connection, key: sealing.StationKey) -> bool:
    """Seals what was in clear; returns whether there was anything."""
    columns = "i.id, i.uid, i.discriminator, o.passcode, o.salt, o.iterations, o.verifier, o.rotating_device_id"
    query = sa.text(
        f"SELECT {columns} FROM onboarding_secret o JOIN identity i ON i.id = o.identity_id "  # noqa: S608  columns of ours
        "WHERE i.id > :last ORDER BY i.id LIMIT :count"
    )
    insert = sa.text("INSERT INTO sealed_secret VALUES (:identity_id, :key_id, :wrapped_key, :content)")
    last = 0
    while found := connection.execute(query, {"last": last, "count": AT_ONCE}).all():
        connection.execute(insert, [_row(each, key) for each in found])
        last = found[-1].id
    return last > 0


def _row(found: sa.Row[tuple[object, ...]], key: sealing.StationKey) -> dict[str, object]:
    onboarding = OnboardingSecrets(
        Passcode(found.passcode), Discriminator(found.discriminator), found.salt, found.iterations, found.verifier
    )
    unit = sealing.unit_name(UID.parse(found.uid), found.id)
    sealed = sealing.seal(key, unit, onboarding, found.rotating_device_id)
    return {
        "identity_id": found.id,
        "key_id": sealed.key_id,
        "wrapped_key": sealed.wrapped_key,
        "content": sealed.content,
    }


def _shorten(connection: sa.Connection) -> None:
    """Keeps of each pair's hash what lets nobody who has the key find the passcode (`pairing`)."""
    found = connection.execute(sa.text("SELECT id, discriminator, pairing_hash FROM identity ORDER BY id")).all()
    marks = pairing.apart((row.id, pairing.mark_of(row.discriminator, row.pairing_hash)) for row in found)
    rows = [{"number": number, "mark": mark} for number, mark in marks]
    if rows:
        connection.execute(sa.text("UPDATE identity SET pairing_hash = :mark WHERE id = :number"), rows)
