# SPDX-License-Identifier: Apache-2.0
"""What the MES is to be told, one row a receiver, and what people have decided about it."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
PENDING = "sent_at IS NULL AND dead_at IS NULL"


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("sink", sa.String(16), nullable=False),
        sa.Column("key", sa.String(96), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", sa.String(24), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("refusals", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_at", sa.String(24)),
        sa.Column("error", sa.Text),
        sa.Column("sent_at", sa.String(24)),
        sa.Column("dead_at", sa.String(24)),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.CheckConstraint("sent_at IS NULL OR dead_at IS NULL", name="ck_outbox_one_end"),
        sqlite_autoincrement=True,
    )
    for name, columns, where in (
        ("ix_outbox_due", ["sink", "tries", "id"], PENDING),
        ("ix_outbox_key", ["sink", "key", "id"], PENDING),
        ("ix_outbox_next", ["sink", "next_at"], PENDING),
        ("ix_outbox_unsent", ["id"], "sent_at IS NULL"),
        ("ix_outbox_dead", ["sink", "id"], "dead_at IS NOT NULL"),
        ("ix_outbox_sent", ["sent_at"], "sent_at IS NOT NULL"),
    ):
        op.create_index(name, "outbox", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_table(
        "outbox_decision",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("action", sa.String(8), nullable=False),
        sa.Column("message", NUMBER, nullable=False),
        sa.Column("sink", sa.String(16), nullable=False),
        sa.Column("key", sa.String(96), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox_decision"),
        sa.CheckConstraint("action IN ('retry', 'drop')", name="ck_outbox_decision_action"),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "sqlite":
        for deed in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER outbox_decision_no_{deed.lower()} BEFORE {deed} ON outbox_decision "
                "BEGIN SELECT RAISE(ABORT, 'a decision is never edited'); END"
            )
