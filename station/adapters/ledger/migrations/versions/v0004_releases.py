# SPDX-License-Identifier: Apache-2.0
"""Boards with a key from elsewhere that an engineer has released."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "unit_release",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("uid", sa.String(24), nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_unit_release"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_unit_release_uid", "unit_release", ["uid"])
    if op.get_bind().dialect.name == "sqlite":
        for deed in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER unit_release_no_{deed.lower()} BEFORE {deed} ON unit_release "
                "BEGIN SELECT RAISE(ABORT, 'a release is never edited'); END"
            )
