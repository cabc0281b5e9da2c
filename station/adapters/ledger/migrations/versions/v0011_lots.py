# SPDX-License-Identifier: Apache-2.0
"""Lots for work orders: their events, what these add up to, and their serial numbers, which no two lots share."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
# In the same words as `domain.serial_range.SerialRange.meets`.
APART = """
CREATE TRIGGER lot_range_apart BEFORE INSERT ON lot_range WHEN EXISTS (
    SELECT 1 FROM lot_range AS other
    WHERE other.shape = new.shape AND other.low <= new.high AND new.low <= other.high AND (
        length(other.fixed) <= length(new.fixed)
        AND substr(new.fixed, length(new.fixed) - length(other.fixed) + 1) = other.fixed
        OR length(other.fixed) > length(new.fixed)
        AND substr(other.fixed, length(other.fixed) - length(new.fixed) + 1) = new.fixed
    )
) BEGIN SELECT RAISE(ABORT, 'two lots have a serial number in common'); END
"""


def upgrade() -> None:
    op.create_table(
        "lot",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("work_order", sa.String(64), nullable=False),
        sa.Column("recipe", sa.String(64), nullable=False),
        sa.Column("recipe_sha256", sa.String(64), nullable=False),
        sa.Column("planned", sa.Integer, nullable=False),
        sa.Column("pattern", sa.String(96), nullable=False),
        sa.Column("first", sa.Integer, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("live", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lot"),
        sa.CheckConstraint("state IN ('open', 'paused', 'closed')", name="ck_lot_state"),
        sa.CheckConstraint("planned > 0 AND planned <= size", name="ck_lot_planned"),
        sa.CheckConstraint("live >= 0 AND live <= planned", name="ck_lot_live"),
    )
    condition = sa.text("state = 'open'")
    op.create_index("ix_lot_open", "lot", ["state"], unique=True, sqlite_where=condition, postgresql_where=condition)
    op.create_table(
        "lot_event",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("lot", sa.String(32), nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lot_event"),
        sa.ForeignKeyConstraint(["lot"], ["lot.name"], name="fk_lot_event_lot"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "lot_range",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("lot", sa.String(32), nullable=False),
        sa.Column("shape", sa.String(32), nullable=False),
        sa.Column("fixed", sa.String(32), nullable=False),
        sa.Column("low", sa.String(32), nullable=False),
        sa.Column("high", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lot_range"),
        sa.ForeignKeyConstraint(["lot"], ["lot.name"], name="fk_lot_range_lot"),
    )
    op.create_index("ix_lot_range_shape", "lot_range", ["shape", "low"])
    if op.get_bind().dialect.name == "sqlite":
        op.execute(APART)
        for table in ("lot_event", "lot_range"):
            for deed in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{deed.lower()} BEFORE {deed} ON {table} "
                    "BEGIN SELECT RAISE(ABORT, 'what is known of a lot is never edited'); END"
                )
