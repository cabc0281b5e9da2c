# SPDX-License-Identifier: Apache-2.0
"""A release holds in the ledger's incarnation that it was given in."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("unit_release", sa.Column("incarnation", sa.Integer, nullable=False, server_default="1"))
