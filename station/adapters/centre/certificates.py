# SPDX-License-Identifier: Apache-2.0
"""Requests to PKIs and the certificates that they brought, as the facts of a push tell of them. In SQL."""

from collections.abc import Sequence

from psycopg import AsyncConnection

from station.adapters.centre.anomalies import Check, Kind, note
from station.adapters.centre.caller import Caller
from station.adapters.centre.told import Told, of
from station.domain.facts import CertificateIssued, IntermediateSeen, RequestAnswered, RequestSubmitted


async def take_intermediates(connection: AsyncConnection, facts: Sequence[Told]) -> None:
    seen = {bytes.fromhex(fact.pai): fact.content for _, fact in of(IntermediateSeen, facts)}
    if seen:
        await connection.execute(
            "INSERT INTO pai (id, content) SELECT n.id, n.content FROM unnest(%s::bytea[], %s::bytea[]) AS n(id, content)"
            " ORDER BY n.id ON CONFLICT DO NOTHING",
            [list(seen), list(seen.values())],
        )


async def take_requests(connection: AsyncConnection, caller: Caller, facts: Sequence[Told]) -> Sequence[Check]:
    submitted = [fact for _, fact in of(RequestSubmitted, facts)]
    if submitted:
        await connection.execute(
            "INSERT INTO request (station, incarnation, number, key, uid)"
            " SELECT %s, %s, n.number, n.key, n.uid"
            " FROM unnest(%s::bigint[], %s::bytea[], %s::bytea[]) AS n(number, key, uid)",
            [
                caller.station,
                caller.incarnation,
                [fact.request for fact in submitted],
                [bytes.fromhex(fact.key) for fact in submitted],
                [fact.uid.raw for fact in submitted],
            ],
        )
    answered = [fact.request for _, fact in of(RequestAnswered, facts)]
    answered += [fact.request for _, fact in of(CertificateIssued, facts)]
    return [await _close(connection, caller, answered)] if answered else []


async def take_certificates(connection: AsyncConnection, caller: Caller, facts: Sequence[Told]) -> Sequence[Check]:
    issued = sorted(of(CertificateIssued, facts), key=lambda pair: pair[1].key)
    if not issued:
        return []
    added = await connection.execute(
        "INSERT INTO certificate (key, dac_serial, uid, dac, pai, told_at)"
        " SELECT * FROM unnest(%s::bytea[], %s::bytea[], %s::bytea[], %s::bytea[], %s::bytea[], %s::timestamptz[])"
        " ON CONFLICT DO NOTHING RETURNING key",
        [
            [bytes.fromhex(fact.key) for _, fact in issued],
            [bytes.fromhex(fact.dac_serial_number) for _, fact in issued],
            [fact.uid.raw for _, fact in issued],
            [fact.dac for _, fact in issued],
            [bytes.fromhex(fact.pai) for _, fact in issued],
            [each.at for each, _ in issued],
        ],
    )

    async def check() -> None:
        if len(await added.fetchall()) < len(issued):
            await _note_second(connection, caller, [fact for _, fact in issued])

    return [check]


async def _close(connection: AsyncConnection, caller: Caller, numbers: Sequence[int]) -> Check:
    """Marks requests as answered. An earlier incarnation may have sent them, since a ledger goes on counting."""
    changed = await connection.execute(
        "UPDATE request SET answered = true WHERE station = %s AND incarnation = %s AND number = ANY(%s::bigint[])"
        " RETURNING number",
        [caller.station, caller.incarnation, numbers],
    )

    async def check() -> None:
        own = {number for (number,) in await changed.fetchall()}
        if rest := sorted(set(numbers) - own):
            await _close_earlier(connection, caller, rest)

    return check


async def _close_earlier(connection: AsyncConnection, caller: Caller, numbers: Sequence[int]) -> None:
    await connection.execute(
        "UPDATE request SET answered = true FROM"
        " (SELECT DISTINCT ON (r.number) r.incarnation, r.number FROM unnest(%(numbers)s::bigint[]) AS n(number)"
        "  JOIN incarnation i ON i.station = %(station)s AND i.number < %(incarnation)s"
        "  JOIN request r ON r.station = i.station AND r.incarnation = i.number AND r.number = n.number"
        "  ORDER BY r.number, r.incarnation DESC) AS last"
        " WHERE request.station = %(station)s"
        "   AND (request.incarnation, request.number) = (last.incarnation, last.number)",
        {"numbers": numbers, "station": caller.station, "incarnation": caller.incarnation},
    )


async def _note_second(connection: AsyncConnection, caller: Caller, issued: Sequence[CertificateIssued]) -> None:
    """Notes certificates for a key that has another one, and keys whose serial number another key's certificate has."""
    found = await connection.execute(
        "SELECT n.key, n.serial, n.uid, c.key, c.dac_serial, c.uid"
        " FROM unnest(%s::bytea[], %s::bytea[], %s::bytea[]) AS n(key, serial, uid)"
        " JOIN certificate c ON c.key = n.key OR c.dac_serial = n.serial"
        " WHERE (c.key, c.dac_serial, c.uid) <> (n.key, n.serial, n.uid)",
        [
            [bytes.fromhex(fact.key) for fact in issued],
            [bytes.fromhex(fact.dac_serial_number) for fact in issued],
            [fact.uid.raw for fact in issued],
        ],
    )
    seconds = [
        (
            f"{key.hex()} {serial.hex().upper()}",
            {
                "uid": uid.hex(),
                "key": key.hex(),
                "dac_serial_number": serial.hex().upper(),
                "has_uid": other_uid.hex(),
                "has_key": other_key.hex(),
                "has_dac_serial_number": other_serial.hex().upper(),
            },
        )
        for key, serial, uid, other_key, other_serial, other_uid in await found.fetchall()
    ]
    await note(connection, Kind.SECOND_DAC, caller, seconds)
