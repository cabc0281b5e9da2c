# SPDX-License-Identifier: Apache-2.0
"""The effects of a push, for all its facts at once. What fails is cut out and noted, and the rest has its effect.

Nothing here asks whether a fact was told before: the cursor alone sees to that.
"""

from collections.abc import Sequence

import psycopg
from psycopg import AsyncConnection

from station.adapters.centre import attempts, blocks, certificates, units
from station.adapters.centre.anomalies import Kind, note
from station.adapters.centre.caller import Caller, Known
from station.adapters.centre.told import Told, Unreadable, told
from station.domain.facts import AttemptEnded, IdentityAdvanced, IdentityTaken, UnitAdopted
from station.domain.shared import Line
from station.domain.target import UID

# The content is at fault, and not the server or a right; the last one is a text that is too long for an index.
OF_CONTENT = (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded)


async def carry_out(connection: AsyncConnection, known: Known, lines: Sequence[Line], *, apart: bool) -> None:
    """Carries out what the lines tell.

    `apart`: whether to cut out what fails; otherwise the error of psycopg is raised, one of `OF_CONTENT`.
    """
    facts = await _readable(connection, known.caller, lines)
    if uids := _uids(facts):
        await units.lock(connection, known.caller, uids)
    if apart:
        await _bisected(connection, known, facts)
    else:
        await _all(connection, known, facts)


async def _readable(connection: AsyncConnection, caller: Caller, lines: Sequence[Line]) -> Sequence[Told]:
    facts, failed = list[Told](), list[tuple[int, str]]()
    for line in lines:
        try:
            if fact := told(line):
                facts.append(fact)
        except Unreadable as exc:
            failed.append((line.number, str(exc)))
    await _note_failed(connection, caller, failed)
    return facts


def _uids(facts: Sequence[Told]) -> frozenset[UID]:
    found = set[UID]()
    for each in facts:
        match each.fact:
            case IdentityTaken(uid=uid) | IdentityAdvanced(uid=uid) | UnitAdopted(uid=uid):
                found.add(uid)
            case AttemptEnded(uid=UID() as uid, laboratory=False):
                found.add(uid)
            case _:
                pass
    return frozenset(found)


async def _all(connection: AsyncConnection, known: Known, facts: Sequence[Told]) -> None:
    """Sends all statements, and reads the answers only then, since a push may travel far."""
    caller = known.caller
    await blocks.take_in(connection, known, facts)
    checks = [*await units.take_identities(connection, caller, facts)]
    await units.adopt(connection, caller, facts)
    await certificates.take_intermediates(connection, facts)
    checks += await certificates.take_requests(connection, caller, facts)
    checks += await certificates.take_certificates(connection, caller, facts)
    await attempts.take(connection, caller, facts)
    await attempts.take_checkpoints(connection, caller, facts)
    for check in checks:
        await check()


async def _bisected(connection: AsyncConnection, known: Known, facts: Sequence[Told]) -> None:
    if not facts:
        return
    try:
        async with connection.transaction():
            await _all(connection, known, facts)
    except OF_CONTENT as exc:
        if len(facts) == 1:
            reason = exc.diag.message_primary or type(exc).__name__
            await _note_failed(connection, known.caller, [(facts[0].number, reason)])
            return
        middle = len(facts) // 2
        await _bisected(connection, known, facts[:middle])
        await _bisected(connection, known, facts[middle:])


async def _note_failed(connection: AsyncConnection, caller: Caller, failed: Sequence[tuple[int, str]]) -> None:
    found = [
        (f"{caller.name} {caller.incarnation} {line}", {"line": line, "reason": reason}) for line, reason in failed
    ]
    await note(connection, Kind.EFFECT_FAILED, caller, found)
