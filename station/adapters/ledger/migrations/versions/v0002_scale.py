# SPDX-License-Identifier: Apache-2.0
"""For a ledger of a million units: indexes of the few rows that commands look for, and stored totals."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _indexes()
    _laboratory()
    _totals()


def _indexes() -> None:
    for name, table, columns, condition in (
        ("ix_attempt_open", "attempt", ["id"], "verdict IS NULL"),
        ("ix_pki_request_unanswered", "pki_request", ["id"], "outcome IS NULL"),
        ("ix_event_of_unit", "event", ["attempt_id", "type"], "type = 'Confirmed' OR type = 'CoprocessorReady'"),
    ):
        where = sa.text(condition)
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def _laboratory() -> None:
    op.add_column("attempt", sa.Column("laboratory", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute(
        "UPDATE attempt SET laboratory = true WHERE id IN (SELECT attempt_id FROM event WHERE type = 'LaboratoryUnit')"
    )


def _totals() -> None:
    names = ("attempts", "passed", "failed", "void", "units", "judged", "passed_first", "laboratory")
    op.create_table(
        "totals",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in names),
        sa.PrimaryKeyConstraint("id", name="pk_totals"),
        sa.CheckConstraint("id = 1", name="ck_totals_one_row"),
    )
    judged = "verdict IN ('pass', 'fail') AND NOT laboratory AND uid IS NOT NULL"
    op.execute(
        f"INSERT INTO totals (id, {', '.join(names)}) SELECT 1, "  # noqa: S608  names of columns
        "(SELECT count(*) FROM attempt), "
        "(SELECT count(*) FROM attempt WHERE verdict = 'pass'), "
        "(SELECT count(*) FROM attempt WHERE verdict = 'fail'), "
        "(SELECT count(*) FROM attempt WHERE verdict = 'void'), "
        "(SELECT count(*) FROM identity), "
        f"(SELECT count(DISTINCT uid) FROM attempt WHERE {judged}), "
        "(SELECT count(*) FROM attempt WHERE verdict = 'pass' AND id IN "
        f"(SELECT min(id) FROM attempt WHERE {judged} GROUP BY uid)), "
        "(SELECT count(*) FROM attempt WHERE laboratory)"
    )
