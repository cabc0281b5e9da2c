# SPDX-License-Identifier: Apache-2.0
"""What two looks at the USB ports differ in: which boards have left and arrived. Pure; shared by every source."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from station.adapters.hotplug.sightings import Sighting, judged
from station.interfaces import BoardArrived, BoardLeft

_NOTHING = frozenset[str]()


def changes(
    before: Mapping[str, BoardArrived], after: Mapping[str, BoardArrived], came_back: AbstractSet[str] = _NOTHING
) -> Iterator[BoardArrived | BoardLeft]:
    """The difference of two scans, arrivals in the order of `after`.

    A board that was exchanged, or that `came_back` to its port, has left and arrived.
    """
    for port, board in before.items():
        if port in came_back or not _same(board, after.get(port)):
            yield BoardLeft(port)
    for port, board in after.items():
        if port in came_back or not _same(board, before.get(port)):
            yield board


def news(
    told: Mapping[str, Sighting], found: Mapping[str, Sighting]
) -> tuple[dict[str, Sighting], list[BoardArrived | BoardLeft]]:
    """What is to be told after `told`, where each sighting's numbers show whether its device has stayed."""
    stayed = {port for port in told.keys() & found.keys() if told[port].stayed(found[port], _NOTHING)}
    now = judged(found)
    return now, list(changes(boards(told), boards(now), now.keys() & told.keys() - stayed))


def boards(seen: Mapping[str, Sighting]) -> dict[str, BoardArrived]:
    """The boards by their USB ports."""
    return {port: sighting.board for port, sighting in seen.items()}


def _same(one: BoardArrived, other: BoardArrived | None) -> bool:
    if other is None:
        return False
    refusals = [board.refused.code if board.refused else None for board in (one, other)]
    return (one.probe, one.tty) == (other.probe, other.tty) and refusals[0] == refusals[1]
