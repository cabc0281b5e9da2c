# SPDX-License-Identifier: Apache-2.0
"""A narrow table of all ended attempts in the order of time, from which the numbers of a day of 100,000 are counted at once."""

import json
import struct
from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
AT_ONCE = 10_000
STEPS = (
    "recognise",
    "coprocessor",
    "flash_data",
    "flash_provisioner",
    "await_csr",
    "relay_to_pki",
    "deliver",
    "flash_operational",
    "confirm",
    "lock",
)
ENDED = """
    SELECT (CAST(strftime('%s', started_at) AS INTEGER) * 1000 + CAST(substr(started_at, 21, 3) AS INTEGER)) AS began,
        id, slot, probe, lot, uid, verdict, fault, seconds, steps, laboratory,
        CASE WHEN verdict <> 'pass' THEN (
            SELECT json_extract(body, '$.step') FROM event
            WHERE attempt_id = attempt.id AND type = 'StepStarted' ORDER BY id DESC LIMIT 1
        ) END AS step,
        verdict <> 'void' AND uid IS NOT NULL AND NOT laboratory AND NOT EXISTS (
            SELECT 1 FROM attempt AS earlier WHERE earlier.uid = attempt.uid AND earlier.id < attempt.id
            AND earlier.verdict IN ('pass', 'fail') AND NOT earlier.laboratory
        ) AS first
    FROM attempt WHERE verdict IS NOT NULL AND id > :after ORDER BY id LIMIT :most
"""


def upgrade() -> None:
    figure = op.create_table(
        "figure",
        sa.Column("began", sa.BigInteger, nullable=False),
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("slot", sa.String(32), nullable=False),
        sa.Column("probe", sa.String(64), nullable=False),
        sa.Column("lot", sa.String(32), nullable=False),
        sa.Column("uid", sa.String(24)),
        sa.Column("verdict", sa.String(4), nullable=False),
        sa.Column("fault", sa.String(64)),
        sa.Column("step", sa.String(32)),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("steps", sa.LargeBinary, nullable=False),
        sa.Column("laboratory", sa.Boolean, nullable=False),
        sa.Column("first", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("began", "id", name="pk_figure"),
        sa.ForeignKeyConstraint(["id"], ["attempt.id"], name="fk_figure_id"),
        sqlite_with_rowid=False,
    )
    connection, after = op.get_bind(), 0
    while rows := connection.execute(sa.text(ENDED), {"after": after, "most": AT_ONCE}).mappings().all():
        connection.execute(
            sa.insert(figure),
            [
                {
                    **row,
                    "steps": _packed(json.loads(row["steps"])),
                    "laboratory": bool(row["laboratory"]),
                    "first": bool(row["first"]),
                }
                for row in rows
            ],
        )
        after = rows[-1]["id"]


def _packed(seconds: Mapping[str, float]) -> bytes:
    return struct.pack(f"<{len(STEPS)}d", *(seconds.get(name, -1.0) for name in STEPS))
