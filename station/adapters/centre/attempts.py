# SPDX-License-Identifier: Apache-2.0
"""Ended attempts at the centre: their rows, the yield by the hour, and each unit's last verdict. In SQL."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from psycopg import AsyncConnection

from station.adapters.centre.caller import Caller
from station.adapters.centre.told import Told, of
from station.domain.facts import AttemptEnded, Checkpoint


def hour_of(moment: datetime) -> datetime:
    """The hour in UTC in which an attempt began, by which the yield is counted."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


async def take(connection: AsyncConnection, caller: Caller, facts: Sequence[Told]) -> None:
    """Takes the attempts of a push. Those of the laboratory count neither in the yield nor for their units."""
    ended = list(of(AttemptEnded, facts))
    if not ended:
        return
    await connection.execute(
        "INSERT INTO attempt (station, incarnation, number, uid, slot, verdict, fault, started_at, seconds, lot, release,"
        "   laboratory, first_line, last_line)"
        " SELECT %s, %s, n.* FROM unnest(%s::bigint[], %s::bytea[], %s::text[], %s::text[], %s::text[],"
        "   %s::timestamptz[], %s::real[], %s::text[], %s::text[], %s::boolean[], %s::bigint[], %s::bigint[]) AS n",
        [
            caller.station,
            caller.incarnation,
            [fact.attempt for _, fact in ended],
            [fact.uid.raw if fact.uid else None for _, fact in ended],
            [fact.slot for _, fact in ended],
            [fact.verdict for _, fact in ended],
            [fact.fault for _, fact in ended],
            [fact.started_at for _, fact in ended],
            [fact.seconds for _, fact in ended],
            [fact.lot for _, fact in ended],
            [fact.release for _, fact in ended],
            [fact.laboratory for _, fact in ended],
            [fact.first for _, fact in ended],
            [each.number for each, _ in ended],
        ],
    )
    produced = [fact for _, fact in ended if not fact.laboratory]
    await _count(connection, caller, produced)
    await _judge_units(connection, produced)


async def take_checkpoints(connection: AsyncConnection, caller: Caller, facts: Sequence[Told]) -> None:
    for _, fact in of(Checkpoint, facts):
        await connection.execute(
            "INSERT INTO checkpoint (station, incarnation, line, head, signature) VALUES (%s, %s, %s, %s, %s)",
            [caller.station, caller.incarnation, fact.upto, fact.head, fact.signature],
        )


async def _count(connection: AsyncConnection, caller: Caller, produced: Sequence[AttemptEnded]) -> None:
    counts = Counter(
        (hour_of(fact.started_at), fact.slot, fact.lot, fact.release, fact.verdict, fact.fault or "")
        for fact in produced
    )
    rows = sorted(counts.items())  # in order, since two incarnations of a station may push at once
    if rows:
        await connection.execute(
            "INSERT INTO yield (hour, station, slot, lot, release, verdict, fault, attempts)"
            " SELECT n.hour, %s, n.slot, n.lot, n.release, n.verdict, n.fault, n.attempts"
            " FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[])"
            "   AS n(hour, slot, lot, release, verdict, fault, attempts)"
            " ON CONFLICT (hour, station, slot, lot, release, verdict, fault)"
            " DO UPDATE SET attempts = yield.attempts + EXCLUDED.attempts",
            [
                caller.station,
                *(list(column) for column in zip(*(key for key, _ in rows), strict=True)),
                [n for _, n in rows],
            ],
        )


async def _judge_units(connection: AsyncConnection, produced: Sequence[AttemptEnded]) -> None:
    by_unit = dict[bytes, list[AttemptEnded]]()
    for fact in produced:
        if fact.uid is not None:
            by_unit.setdefault(fact.uid.raw, []).append(fact)
    if not by_unit:
        return
    firsts = [next((one.verdict for one in each if one.verdict != "void"), None) for each in by_unit.values()]
    await connection.execute(
        "UPDATE unit SET attempts = unit.attempts + n.attempts, verdict = n.verdict, fault = n.fault,"
        "   first_verdict = coalesce(unit.first_verdict, n.first), release = coalesce(n.release, unit.release)"
        " FROM unnest(%s::bytea[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[])"
        "   AS n(uid, attempts, verdict, fault, first, release)"
        " WHERE unit.uid = n.uid",
        [
            list(by_unit),
            [len(each) for each in by_unit.values()],
            [each[-1].verdict for each in by_unit.values()],
            [each[-1].fault for each in by_unit.values()],
            firsts,
            [next((one.release for one in reversed(each) if one.verdict == "pass"), None) for each in by_unit.values()],
        ],
    )
