# SPDX-License-Identifier: Apache-2.0
"""The greeting: which incarnation of a station this ledger is to the centre, and whether it must begin a new one."""

from station.domain.shared import Standing, Stopped, Word
from station.replication.interfaces import Centre, SharedLedger, SharedReader


async def come_up(centre: Centre, reader: SharedReader, ledger: SharedLedger, place: str) -> Standing:
    """Greets the centre, and enrols the ledger where it must. Returns its standing, which may be `stopped`.

    A ledger that never enrolled, was moved or put back, or knows less than the centre does of it, becomes a new
    incarnation without blocks. It may be repeated after a lost answer.
    """
    standing = reader.standing()
    if standing.enrolling is not None or standing.incarnation is None or standing.moved:
        standing = await _enrol(centre, reader, ledger, place)
    word = await _greet(centre, standing)
    if word is Word.UNKNOWN:
        await _make_known(centre, standing, place)
        word = await _greet(centre, standing)
    if word in {Word.ROLLED_BACK, Word.UNKNOWN}:
        standing = await _enrol(centre, reader, ledger, place)
        word = await _greet(centre, standing)
    if word is Word.CLOSED and standing.stopped is None:
        await ledger.stop(Stopped.FENCED)
    return reader.standing()


async def _greet(centre: Centre, standing: Standing) -> Word:
    assert standing.incarnation is not None
    return await centre.hello(standing.incarnation, standing.lines + 1, standing.tick, standing.fleet_check)


async def _enrol(centre: Centre, reader: SharedReader, ledger: SharedLedger, place: str) -> Standing:
    name, head = await ledger.begin_enrolment()
    await ledger.enrolled(name, await centre.enrol(name, place, head))
    return reader.standing()


async def _make_known(centre: Centre, standing: Standing, place: str) -> None:
    """Enrols a ledger again under its id at a centre that was set back to before the ledger enrolled.

    If the centre gives it its number again, the whole journal goes there once more. A ledger with another number will be
    greeted as unknown again, under its old one.
    """
    assert standing.ledger is not None
    await centre.enrol(standing.ledger, place, standing.begun_from)
