# SPDX-License-Identifier: Apache-2.0
"""The labels of units: each print, and the scan that binds it."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "label_event",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("station", sa.String(64), nullable=False),
        sa.Column("uid", sa.String(24), nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("copy", sa.Integer, nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("slot", sa.String(32)),
        sa.Column("other", sa.String(32)),
        sa.PrimaryKeyConstraint("id", name="pk_label_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_label_event_uid", "label_event", ["uid"])
    once = "type = 'LabelPrintStarted'"
    op.create_index(
        "ux_label_event_print",
        "label_event",
        ["uid", "copy"],
        unique=True,
        sqlite_where=sa.text(once),
        postgresql_where=sa.text(once),
    )
    op.create_table(
        "label_floor",
        sa.Column("recipe", sa.String(64), nullable=False),
        sa.Column("first_attempt", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("recipe", name="pk_label_floor"),
    )
    op.create_table(
        "label_required",
        sa.Column("recipe_sha256", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("recipe_sha256", name="pk_label_required"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for deed in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER label_event_no_{deed.lower()} BEFORE {deed} ON label_event "
                "BEGIN SELECT RAISE(ABORT, 'a label event is never edited'); END"
            )
