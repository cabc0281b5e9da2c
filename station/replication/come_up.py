# SPDX-License-Identifier: Apache-2.0
"""The greeting: which incarnation of a station this ledger is to the centre, and whether it must begin a new one."""

from station.adapters.ledger.shared import Stopped
from station.adapters.ledger.shared_state import Standing
from station.domain.shared import Word
from station.replication.interfaces import Centre, SharedLedger, SharedReader


async def come_up(centre: Centre, reader: SharedReader, ledger: SharedLedger, place: str) -> Standing:
    """Greets the centre, and enrols the ledger where it must. Returns its standing, which may be `stopped`.

    A ledger that never enrolled, was moved or put back, or knows less than the centre does of it, becomes a new
    incarnation without blocks. One that the centre does not know, since it was set back to before the enrolment, gets its
    number again, and tells its whole journal once more. It may be repeated after a lost answer.
    """
    standing = reader.standing()
    if standing.must_enrol or standing.next_ledger is not None:
        standing = await _enrol(centre, reader, ledger, place)
    word = await _greet(centre, standing)
    if word is Word.UNKNOWN and (begun_from := reader.hash_at(0)) is not None:
        await centre.enrol(standing.ledger, place, begun_from, standing.incarnation)
        word = await _greet(centre, standing)
    if word in {Word.ROLLED_BACK, Word.UNKNOWN}:
        standing = await _enrol(centre, reader, ledger, place)
        word = await _greet(centre, standing)
    if word is Word.CLOSED and standing.stopped is None:
        await ledger.stopped(Stopped.FENCED)
    return reader.standing()


async def _greet(centre: Centre, standing: Standing) -> Word:
    return await centre.hello(standing.incarnation, standing.lines + 1, standing.tick, standing.fleet_check)


async def _enrol(centre: Centre, reader: SharedReader, ledger: SharedLedger, place: str) -> Standing:
    name, head = await ledger.begin_enrolment(place)
    await ledger.enrolled(await centre.enrol(name, place, head), name)
    return reader.standing()
