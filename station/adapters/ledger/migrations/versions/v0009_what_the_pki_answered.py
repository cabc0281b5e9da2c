# SPDX-License-Identifier: Apache-2.0
"""Answers that the station refused, certificates that no unit has, times to wait, and who decided about them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("pki_request", sa.Column("due_at", sa.String(24)))
    for name in ("excused", "closed"):
        op.add_column("pki_request", sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "pki_answer",
        sa.Column("request_id", NUMBER, nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("request_id", name="pk_pki_answer"),
        sa.ForeignKeyConstraint(["request_id"], ["pki_request.id"], name="fk_pki_answer_request_id"),
    )
    op.create_table(
        "spare_certificate",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("request_id", NUMBER),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("serial_number", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("found_at", sa.String(24), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary),
        sa.Column("closed", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("id", name="pk_spare_certificate"),
        sa.ForeignKeyConstraint(["request_id"], ["pki_request.id"], name="fk_spare_certificate_request_id"),
        sa.CheckConstraint("kind IN ('refused', 'surplus')", name="ck_spare_certificate_kind"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_spare_certificate_key", "spare_certificate", ["key"])
    op.create_table(
        "pki_wait",
        sa.Column("endpoint", sa.String(200), nullable=False),
        sa.Column("until", sa.String(24), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", name="pk_pki_wait"),
    )
    op.create_table(
        "pki_decision",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pki_decision"),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "sqlite":
        for deed in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER pki_decision_no_{deed.lower()} BEFORE {deed} ON pki_decision "
                "BEGIN SELECT RAISE(ABORT, 'a decision is never edited'); END"
            )
