# SPDX-License-Identifier: Apache-2.0
"""Signed checkpoints of the chain, which every ledger keeps from now on, and what people decide about them."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("number", NUMBER, nullable=False, autoincrement=False),
        sa.Column("signed", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_checkpoint"),
    )
    op.create_table(
        "audit_decision",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("account", sa.String(100), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("checkpoint", sa.Text, nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_decision"),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "sqlite":
        for deed in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_decision_no_{deed.lower()} BEFORE {deed} ON audit_decision"
                " BEGIN SELECT RAISE(ABORT, 'a decision is never edited'); END"
            )
