# SPDX-License-Identifier: Apache-2.0
"""What a ledger needs that shares its numbers with other stations: the chain of its journal, blocks, pairs, adoptions."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
OPEN = "given_back = 0 AND next_index < end_index"


def upgrade() -> None:
    # SQLite adds a column with a constant default without touching a row.
    op.add_column("identity", sa.Column("owned", sa.Boolean, nullable=False, server_default=sa.true()))
    _state()
    _chain()
    _leases()
    op.create_table(
        "adoption",
        sa.Column("uid", sa.String(24), nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("epoch", NUMBER, nullable=False),
        sa.Column("began_at", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("images", sa.Text, nullable=False),
        sa.Column("event_id", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("uid", name="pk_adoption"),
    )


def _state() -> None:
    op.create_table(
        "shared_state",
        sa.Column("one", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("station", sa.Integer, nullable=False),
        sa.Column("incarnation", sa.Integer, nullable=False),
        sa.Column("local_incarnation", sa.Integer, nullable=False),
        sa.Column("ledger", sa.String(32), nullable=False),
        sa.Column("next_ledger", sa.String(32)),
        sa.Column("tick", NUMBER, nullable=False),
        sa.Column("fleet_check", sa.String(16), nullable=False),
        sa.Column("stopped", sa.String(8)),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("joined", NUMBER),
        sa.Column("request", sa.String(32)),
        sa.Column("request_lot", sa.String(32)),
        sa.Column("request_release", sa.String(64)),
        sa.Column("request_blocks", sa.Integer),
        sa.PrimaryKeyConstraint("one", name="pk_shared_state"),
        sa.CheckConstraint("one = 1", name="ck_shared_state_one"),
    )


def _chain() -> None:
    op.create_table(
        "chain",
        sa.Column("incarnation", sa.Integer, nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("event_id", NUMBER),
        sa.Column("at", sa.String(24)),
        sa.Column("type", sa.String(32)),
        sa.Column("body", sa.Text),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("incarnation", "number", name="pk_chain"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "chain_base",
        sa.Column("incarnation", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("acked", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("incarnation", name="pk_chain_base"),
    )
    op.create_table(
        "chain_attempt",
        sa.Column("attempt", NUMBER, nullable=False, autoincrement=False),
        sa.Column("incarnation", sa.Integer, nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("release", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("attempt", name="pk_chain_attempt"),
        sa.ForeignKeyConstraint(["attempt"], ["attempt.id"], name="fk_chain_attempt_attempt"),
    )
    op.create_table(
        "shared_told",
        sa.Column("incarnation", sa.Integer, nullable=False),
        sa.Column("pai", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("incarnation", "pai", name="pk_shared_told"),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER chain_no_update BEFORE UPDATE ON chain"
            " BEGIN SELECT RAISE(ABORT, 'a line of the chain is never edited'); END"
        )


def _leases() -> None:
    op.create_table(
        "block",
        sa.Column("lot", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("incarnation", sa.Integer, nullable=False),
        sa.Column("release", sa.String(64), nullable=False),
        sa.Column("first_index", sa.Integer, nullable=False),
        sa.Column("next_index", sa.Integer, nullable=False),
        sa.Column("end_index", sa.Integer, nullable=False),
        sa.Column("lot_first", sa.Integer, nullable=False),
        sa.Column("lot_size", sa.Integer, nullable=False),
        sa.Column("lot_format", sa.String(96), nullable=False),
        sa.Column("given_back", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("lot", "number", name="pk_block"),
    )
    op.create_index("ix_block_open", "block", ["incarnation", "lot", "release", "number"], sqlite_where=sa.text(OPEN))
    op.create_table(
        "pair",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("hash", NUMBER, nullable=False),
        sa.Column("incarnation", sa.Integer, nullable=False),
        sa.Column("request", sa.String(32), nullable=False),
        sa.Column("state", sa.String(4), nullable=False),
        sa.Column("sealed", sa.LargeBinary(34), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pair"),
        sa.UniqueConstraint("hash", name="uq_pair_hash"),
        sa.CheckConstraint("state IN ('open', 'ours', 'used', 'gone')", name="ck_pair_state"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_pair_ours", "pair", ["incarnation", "id"], sqlite_where=sa.text("state = 'ours'"))
    op.create_index("ix_pair_open", "pair", ["id"], sqlite_where=sa.text("state = 'open'"))
