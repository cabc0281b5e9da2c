# SPDX-License-Identifier: Apache-2.0
"""The first tables. A migration is never edited once it has run on a line: the next one changes what it made."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_instant = sa.String(24)


def upgrade() -> None:
    _attempts()
    _identities()
    _certificates()
    _forbid_editing_events()


def _attempts() -> None:
    op.create_table(
        "attempt",
        sa.Column("id", _number, nullable=False),
        sa.Column("station", sa.String(64), nullable=False),
        sa.Column("slot", sa.String(32), nullable=False),
        sa.Column("probe", sa.String(64), nullable=False),
        sa.Column("tty", sa.Text, nullable=False),
        sa.Column("recipe", sa.String(64), nullable=False),
        sa.Column("recipe_sha256", sa.String(64), nullable=False),
        sa.Column("images", sa.JSON, nullable=False),
        sa.Column("lot", sa.String(32), nullable=False),
        sa.Column("started_at", _instant, nullable=False),
        sa.Column("uid", sa.String(24)),
        sa.Column("dac_serial_number", sa.String(40)),
        sa.Column("verdict", sa.String(4)),
        sa.Column("fault", sa.String(64)),
        sa.Column("ended_at", _instant),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("steps", sa.JSON, nullable=False),
        sa.CheckConstraint("verdict IN ('pass', 'fail', 'void')", name="ck_attempt_verdict"),
        sa.CheckConstraint("(verdict IS NULL) = (ended_at IS NULL)", name="ck_attempt_ended"),
        sa.PrimaryKeyConstraint("id", name="pk_attempt"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_attempt_uid", "attempt", ["uid"])
    op.create_table(
        "event",
        sa.Column("id", _number, nullable=False),
        sa.Column("attempt_id", _number, nullable=False),
        sa.Column("at", _instant, nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name="fk_event_attempt_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_attempt_id", "event", ["attempt_id"])


def _identities() -> None:
    op.create_table(
        "identity",
        sa.Column("id", _number, nullable=False),
        sa.Column("uid", sa.String(24), nullable=False),
        sa.Column("lot", sa.String(32), nullable=False),
        sa.Column("lot_index", sa.Integer, nullable=False),
        sa.Column("serial_number", sa.String(32), nullable=False),
        sa.Column("discriminator", sa.Integer, nullable=False),
        sa.Column("pairing_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("manufacturing_date", sa.String(8), nullable=False),
        sa.Column("reserved_at", _instant, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.CheckConstraint(
            "state IN ('reserved', 'on_board', 'certified', 'confirmed', 'passed', 'burned', 'released')",
            name="ck_identity_state",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_identity"),
        sa.UniqueConstraint("uid", name="uq_identity_uid"),
        sa.UniqueConstraint("serial_number", name="uq_identity_serial_number"),
        sa.UniqueConstraint("pairing_hash", name="uq_identity_pairing_hash"),
        sa.UniqueConstraint("lot", "lot_index", name="uq_identity_lot_lot_index"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "onboarding_secret",
        sa.Column("identity_id", _number, autoincrement=False, nullable=False),
        sa.Column("passcode", sa.Integer, nullable=False),
        sa.Column("salt", sa.LargeBinary(32), nullable=False),
        sa.Column("iterations", sa.Integer, nullable=False),
        sa.Column("verifier", sa.LargeBinary(97), nullable=False),
        sa.Column("rotating_device_id", sa.Text),
        sa.PrimaryKeyConstraint("identity_id", name="pk_onboarding_secret"),
        sa.ForeignKeyConstraint(["identity_id"], ["identity.id"], name="fk_onboarding_secret_identity_id"),
    )


def _certificates() -> None:
    op.create_table(
        "pki_request",
        sa.Column("id", _number, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("uid", sa.String(24), nullable=False),
        sa.Column("csr", sa.LargeBinary, nullable=False),
        sa.Column("submitted_at", _instant, nullable=False),
        sa.Column("outcome", sa.String(8)),
        sa.Column("reason", sa.Text),
        sa.Column("answered_at", _instant),
        sa.CheckConstraint("outcome IN ('issued', 'rejected')", name="ck_pki_request_outcome"),
        sa.CheckConstraint("(outcome IS NULL) = (answered_at IS NULL)", name="ck_pki_request_answered"),
        sa.PrimaryKeyConstraint("id", name="pk_pki_request"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_pki_request_key", "pki_request", ["key"])
    op.create_index("ix_pki_request_uid", "pki_request", ["uid"])
    op.create_table(
        "certificate",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("request_id", _number, nullable=False),
        sa.Column("dac_serial_number", sa.String(40), nullable=False),
        sa.Column("dac", sa.LargeBinary, nullable=False),
        sa.Column("pai", sa.LargeBinary, nullable=False),
        sa.Column("issued_at", _instant, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_certificate"),
        sa.ForeignKeyConstraint(["request_id"], ["pki_request.id"], name="fk_certificate_request_id"),
        sa.UniqueConstraint("request_id", name="uq_certificate_request_id"),
        sa.UniqueConstraint("dac_serial_number", name="uq_certificate_dac_serial_number"),
    )


def _forbid_editing_events() -> None:
    """The journal is append-only, whoever opens the database."""
    if op.get_bind().dialect.name == "sqlite":
        for deed in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER event_no_{deed.lower()} BEFORE {deed} ON event "
                "BEGIN SELECT RAISE(ABORT, 'an event is never edited'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION event_is_final() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'an event is never edited'; END $$"
        )
        op.execute(
            "CREATE TRIGGER event_is_final BEFORE UPDATE OR DELETE ON event "
            "FOR EACH ROW EXECUTE FUNCTION event_is_final()"
        )
