# SPDX-License-Identifier: Apache-2.0
"""Every transaction at the centre, carried out twice as after a lost answer, and refused for each reason."""

from station.domain.shared import Cursor, Rank
from tests.builders.centres import LOT, Teller


async def test_a_unit_that_passes_is_known_to_every_station(line: Teller, other: Teller) -> None:
    await line.grant()
    uid = line.chance.uid()
    index = line.finish(uid, 1)
    assert await line.push() == Cursor(line.journal.next_line, line.journal.head)
    known = (await other.centre.claim(other.incarnation, uid)).known
    assert known is not None
    assert (known.lot, known.index, known.rank, known.began_at) == (LOT, index, Rank.PASSED, "line-1")
