# SPDX-License-Identifier: Apache-2.0
"""The ledger's own id, its progress, its place, and the serial numbers that a restoration has burned."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "ledger",
        sa.Column("one", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("incarnation", sa.Integer, nullable=False),
        sa.Column("tick", _number, nullable=False),
        sa.Column("in_order", sa.Boolean, nullable=False),
        sa.Column("skipped", sa.Integer, nullable=False),
        sa.Column("place", sa.JSON, nullable=False),
        sa.CheckConstraint("one = 1", name="ck_ledger_one"),
        sa.PrimaryKeyConstraint("one", name="pk_ledger"),
    )
    op.create_table(
        "lot_floor",
        sa.Column("lot", sa.String(32), nullable=False),
        sa.Column("next_index", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("lot", name="pk_lot_floor"),
    )
