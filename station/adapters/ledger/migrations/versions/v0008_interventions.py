# SPDX-License-Identifier: Apache-2.0
"""What people did to slots and line: who held, released or drained, and why."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "intervention",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("station", sa.String(64), nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("deed", sa.String(16), nullable=False),
        sa.Column("slot", sa.String(32)),
        sa.Column("fault", sa.String(64)),
        sa.Column("reason", sa.Text, nullable=False),
        sa.CheckConstraint("deed IN ('hold', 'release', 'drain')", name="ck_intervention_deed"),
        sa.PrimaryKeyConstraint("id", name="pk_intervention"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_intervention_at", "intervention", ["at"])
    if op.get_bind().dialect.name == "sqlite":
        for deed in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER intervention_no_{deed.lower()} BEFORE {deed} ON intervention "
                "BEGIN SELECT RAISE(ABORT, 'an intervention is never edited'); END"
            )
