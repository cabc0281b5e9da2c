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
    _until(lambda: not _unlabelled(world), "each unit that has passed has a label")
    for station in world.stations:
        _until(lambda station=station: not _waiting(station), f"{station.name} has told everything")  # type: ignore[misc]
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


def _unlabelled(world: World) -> set[str]:
    """Units that have passed, and of which no station knows that their label is on paper, by the ledgers: a status may be a round behind."""
    passed, labelled = set[str](), set[str]()
    for station in world.stations:
        passed |= _uids(station, "SELECT uid FROM attempt WHERE verdict = 'pass'")
        labelled |= _uids(station, "SELECT uid FROM label_event WHERE type = 'LabelPrinted'")
        labelled -= _printed_again(station)
    return passed - labelled


def _uids(station: At, query: str) -> set[str]:
    with closing(sqlite3.connect(station.ledger)) as connection:
        return {str(uid) for (uid,) in connection.execute(query)}


def _printed_again(station: At) -> set[str]:
    """Has the labels printed again of which the station does not know whether they are on paper; returns their units."""
    unproven = set[str]()
    try:
        found = station.asks("label_status")["unproven"]
        assert isinstance(found, list)
        for each in found:
            unproven.add(str(each["uid"]))
            station.asks("label_print", uid=each["uid"], reason="jam", engineer=True, who="the campaign")
    except (control.CommandRefused, control.DaemonAbsent):  # the printer is not ready yet, or prints that very label
        pass
    return unproven
