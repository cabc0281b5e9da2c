# SPDX-License-Identifier: Apache-2.0
"""Attempts are found by the time at which they began, for questions about a period."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_index("ix_attempt_started_at", "attempt", ["started_at"])
