# SPDX-License-Identifier: Apache-2.0
"""Golden and known-bad boards, and when they have proven the line."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "sample_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("uid", sa.String(24)),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("account", sa.String(64)),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sample_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sample_event_uid", "sample_event", ["uid"])
    if op.get_bind().dialect.name == "sqlite":
        for deed in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER sample_event_no_{deed.lower()} BEFORE {deed} ON sample_event "
                "BEGIN SELECT RAISE(ABORT, 'an event of a sample is never edited'); END"
            )
