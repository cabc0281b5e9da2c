# SPDX-License-Identifier: Apache-2.0
"""Units in quarantine, released from it and scrapped: when, by whom, and why."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "unit_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("uid", sa.String(24), nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("account", sa.String(64)),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_unit_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_unit_event_uid", "unit_event", ["uid"])
    if op.get_bind().dialect.name == "sqlite":
        for deed in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER unit_event_no_{deed.lower()} BEFORE {deed} ON unit_event "
                "BEGIN SELECT RAISE(ABORT, 'a decision about a unit is never edited'); END"
            )
