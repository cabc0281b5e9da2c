# SPDX-License-Identifier: Apache-2.0
"""Whether a unit is a sample, in SQL: such a unit is not counted in its lot, and is never sold."""

from sqlalchemy import ColumnElement, select

from station.adapters.ledger import tables
from station.domain.samples import SampleAdded

_event = tables.sample_event


def is_sample(uid: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the board with the UID in this column is a sample, or was one."""
    return select(_event.c.id).where(_event.c.uid == uid, _event.c.type == SampleAdded.on_disk.name).exists()
