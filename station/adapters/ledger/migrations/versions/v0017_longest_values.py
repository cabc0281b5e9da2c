# SPDX-License-Identifier: Apache-2.0
"""Columns that were declared shorter than what the station writes into them, which SQLite takes and PostgreSQL refuses."""

import re

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

ACCOUNT = 100
USB_STRING = 126

WIDER: dict[tuple[str, str], tuple[int, sa.String]] = {
    ("pki_decision", "account"): (64, sa.String(ACCOUNT)),
    ("unit_release", "account"): (64, sa.String(ACCOUNT)),
    ("intervention", "who"): (64, sa.String(ACCOUNT)),
    ("lot_event", "account"): (64, sa.String(ACCOUNT)),
    ("unit_event", "account"): (64, sa.String(ACCOUNT)),
    ("sample_event", "account"): (64, sa.String(ACCOUNT)),
    ("secrets_deed", "who"): (64, sa.String(ACCOUNT)),
    ("outbox_decision", "account"): (64, sa.String(ACCOUNT)),
    ("label_event", "who"): (64, sa.String(ACCOUNT)),
    ("attempt", "probe"): (64, sa.String(USB_STRING)),
    ("figure", "probe"): (64, sa.String(USB_STRING)),
    ("spare_certificate", "serial_number"): (40, sa.Text()),  # of a certificate that may be anything
    ("pki_wait", "endpoint"): (200, sa.Text()),
}


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        _declare(op.get_bind())
    else:
        for (table, column), (_, wider) in WIDER.items():
            op.alter_column(table, column, type_=wider)


def _declare(connection: sa.Connection) -> None:
    """Changes the declarations alone, since SQLite keeps text of any length (sqlite.org/lang_altertable.html, section 7).

    A copy of each table would lose the triggers that keep rows from being edited, and take its time.
    """
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema=ON")
    for (table, column), (length, wider) in WIDER.items():
        declared = connection.scalar(
            sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name"), {"name": table}
        )
        changed, count = re.subn(
            rf"(?<=\b{column} )VARCHAR\({length}\)", wider.compile(dialect=connection.dialect), declared or ""
        )
        if count != 1:
            raise ValueError(f"{table}.{column} is not declared as this station has declared it")
        connection.execute(
            sa.text("UPDATE sqlite_master SET sql = :sql WHERE type = 'table' AND name = :name"),
            {"sql": changed, "name": table},
        )
    connection.exec_driver_sql(f"PRAGMA schema_version={version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema=RESET")
