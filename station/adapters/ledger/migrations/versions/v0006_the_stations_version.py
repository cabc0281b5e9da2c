# SPDX-License-Identifier: Apache-2.0
"""Each attempt has the version and the commit of the station that made it; earlier attempts have none."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("attempt", sa.Column("station_version", sa.String(32)))
    op.add_column("attempt", sa.Column("station_commit", sa.String(48)))
