# SPDX-License-Identifier: Apache-2.0
"""The end of a campaign: every attempt is ended, every label printed, and receiver and centre have been told everything."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

from station.daemon import control
from tests.campaign.world import At, World

WITHIN = 300.0
LOOKED_EVERY = 0.1


def at_rest(world: World) -> None:
    """Returns when nothing waits any more. Labels of which nobody knows whether they are on paper are printed again."""
    for station in world.stations:
        _until(lambda station=station: not _waiting(station), f"{station.name} has ended and told everything")  # type: ignore[misc]
        _until(lambda station=station: _labels_are_done(station), f"all labels of {station.name} are printed")  # type: ignore[misc]
    if world.factory is not None:
        for each in world.factory.line.stations:
            each.told()


def _until(so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WITHIN
    while not so():
        assert time.monotonic() < deadline, f"not within {WITHIN:.0f} s: {what}"
        time.sleep(LOOKED_EVERY)


def _waiting(station: At) -> int:
    """Events that the receiver has not, and attempts without a verdict."""
    query = """SELECT (SELECT count(*) FROM outbox WHERE sent_at IS NULL)
        + (SELECT count(*) FROM attempt WHERE verdict IS NULL)"""
    with closing(sqlite3.connect(station.ledger)) as connection:
        return int(connection.execute(query).fetchone()[0])


def _labels_are_done(station: At) -> bool:
    try:
        status = station.asks("label_status")
        unproven = status["unproven"]
        assert isinstance(unproven, list)
        for each in unproven:
            station.asks("label_print", uid=each["uid"], reason="jam", engineer=True, who="the campaign")
    except (control.CommandRefused, control.DaemonAbsent):  # the printer is not ready yet, or prints that very label
        return False
    return not unproven and not status["waiting"]
