# SPDX-License-Identifier: Apache-2.0
"""What contradicts the centre, noted for a person: facts are never refused. In SQL."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from station.adapters.centre.caller import Caller

Check = Callable[[], Awaitable[None]]
"""Reads the answer to a question that was sent with the statements before it, and notes what contradicts."""


class Kind(StrEnum):
    SECOND_IDENTITY = "unit.second_identity"  # a unit got another serial number, of no higher rank than its own
    DOUBLE_IDENTITY = "identity.double"  # a serial number that another unit has
    OUTSIDE_BLOCK = "identity.outside_block"  # of no block that this incarnation was given
    SECOND_BLOCK = "block.second"  # a block that another ledger was given
    SECOND_DAC = "dac.second"  # another certificate for a key, or another key with its serial number
    EFFECT_FAILED = "effect.failed"  # a line that is kept, and whose fact has no effect


async def note(
    connection: AsyncConnection, kind: Kind, caller: Caller, found: Sequence[tuple[str, Mapping[str, object]]]
) -> None:
    """Notes each subject with its details, once: a subject that is noted already stays as it is."""
    teller = {"station": caller.name, "incarnation": caller.incarnation}
    details = [Jsonb({**detail, **teller}) for _, detail in found]
    if found:
        await connection.execute(
            "INSERT INTO anomaly (kind, subject, detail)"
            " SELECT %s, n.subject, n.detail FROM unnest(%s::text[], %s::jsonb[]) AS n(subject, detail)"
            " ON CONFLICT DO NOTHING",
            [kind.value, [subject for subject, _ in found], details],
        )
