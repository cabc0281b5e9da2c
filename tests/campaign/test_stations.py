# SPDX-License-Identifier: Apache-2.0
"""Lies planted into what a small campaign at two stations has left: the referee judges ledgers, boards and centre together."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.builders.postgresql import MISSING, programs
from tests.campaign.evidence import Evidence
from tests.campaign.recorded_at_two import FIRST, MOVES, RETURNS, SECOND, STAYS, recorded_at_two
from tests.campaign.referee.boards import SERIAL_NUMBER, Board
from tests.campaign.referee.judge import contradictions, violations
from tests.campaign.referee.violation import Promise
from tests.campaign.spoiled import Object, Spoiled

pytestmark = [pytest.mark.line, pytest.mark.executed, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if programs() is None:
        pytest.skip(MISSING)
    return recorded_at_two(tmp_path_factory.mktemp("stations"))


@pytest.fixture(scope="module")
def evidence(left: Path) -> Evidence:
    return Evidence.read(left)


@pytest.fixture
def spoiled(left: Path, tmp_path: Path) -> Spoiled:
    return Spoiled.copy(left, tmp_path / "left")


def central(uid: str) -> str:
    """As the centre's files have it."""
    return f"\\x{uid}"


def changed(evidence: Evidence, table: str, change: Callable[[list[Object]], list[Object]]) -> set[str]:
    """The promises that are broken if the centre has other rows in this table."""
    rows = change([dict(row) for row in evidence.central(table)])
    spoiled = replace(evidence, centre={**evidence.centre, table: rows})
    return {each.promise.value for each in contradictions(spoiled)}


def of_board(evidence: Evidence, number: int, **values: object) -> Callable[[list[Object]], list[Object]]:
    """Changes the rows of one board."""
    uid = central(_board(evidence, number).uid)
    return lambda rows: [row | values if row["uid"] == uid else row for row in rows]


def _board(evidence: Evidence, number: int) -> Board:
    return next(board for board in evidence.boards if board.number == number)


def test_two_stations_have_broken_no_promise(evidence: Evidence) -> None:
    """A unit that failed at one is finished at the other, and one that has passed is confirmed there, with their own certificates."""
    assert violations(evidence) == []
    attempts = {ledger.station: [each.verdict for each in ledger.attempts] for ledger in evidence.ledgers}
    assert attempts == {FIRST: ["pass", "fail", "pass"], SECOND: ["pass", "pass"]}
    assert len(evidence.pki.issued) == len(evidence.central("unit")) == len(evidence.boards) == 3


# --- between the stations ---------------------------------------------------------------------------------------------


def test_a_serial_number_of_two_stations_is_found(spoiled: Spoiled) -> None:
    """The second has given its unit the number of one that only the first has made."""
    number = spoiled.board(STAYS).serial_number
    assert number is not None
    spoiled.ledger(
        "UPDATE identity SET serial_number = :number WHERE uid = :uid",
        station=SECOND,
        number=number,
        uid=spoiled.board(MOVES).uid,
    )
    spoiled.records(MOVES, {SERIAL_NUMBER: number.encode()})
    assert Promise.NO_IDENTITY_TWICE in spoiled.promises()


def test_a_second_serial_number_of_a_unit_that_came_over_is_found(spoiled: Spoiled) -> None:
    """The second station has not asked whose unit it is."""
    spoiled.ledger(
        "UPDATE identity SET serial_number = 'LT2600999999' WHERE uid = :uid",
        station=SECOND,
        uid=spoiled.board(MOVES).uid,
    )
    assert Promise.ONE_IDENTITY in spoiled.promises()


def test_a_certificate_that_no_station_remembers_is_found(spoiled: Spoiled) -> None:
    """It was bought at the first station for a unit that the second has finished; both, and the centre, have forgotten it."""
    uid = spoiled.board(MOVES).uid
    statements = (
        "DELETE FROM certificate WHERE key IN (SELECT key FROM pki_request WHERE uid = :uid)",
        "DELETE FROM pki_request WHERE uid = :uid",
    )
    for station in (FIRST, SECOND):
        spoiled.ledger(*statements, station=station, uid=uid)
    assert Promise.CERTIFICATES in spoiled.promises()


# --- the centre -------------------------------------------------------------------------------------------------------


def test_a_serial_number_that_the_centre_has_of_two_units_is_found(evidence: Evidence) -> None:
    number = _board(evidence, RETURNS).serial_number
    found = changed(evidence, "identity", of_board(evidence, STAYS, serial_number=number))
    assert found == {Promise.NO_IDENTITY_TWICE, Promise.CENTRE}


def test_a_certificate_that_the_centre_has_of_two_units_is_found(evidence: Evidence) -> None:
    uid = central(_board(evidence, MOVES).uid)
    serial = next(row["dac_serial"] for row in evidence.central("certificate") if row["uid"] == uid)
    found = changed(evidence, "certificate", of_board(evidence, STAYS, dac_serial=serial))
    assert found == {Promise.NO_IDENTITY_TWICE}


LIES: Mapping[str, tuple[str, Callable[[list[Object]], list[Object]], set[Promise]]] = {
    "a pass that no station has": (
        "unit",
        lambda rows: [*rows, rows[0] | {"uid": central("ab" * 12), "rank": 4, "verdict": "pass"}],
        {Promise.NO_FALSE_PASS, Promise.CENTRE},
    ),
    "a unit that is there twice": ("unit", lambda rows: [*rows, rows[0]], {Promise.CENTRE}),
    "a pass that the centre lacks": (
        "unit",
        lambda rows: [rows[0] | {"rank": 3, "verdict": "fail"}, *rows[1:]],
        {Promise.CENTRE},
    ),
    "a unit that the centre does not know": ("unit", lambda rows: rows[1:], {Promise.CENTRE}),
    "an attempt that it lacks": ("attempt", lambda rows: rows[1:], {Promise.CENTRE}),
    "an attempt that it has twice": ("attempt", lambda rows: [*rows, rows[0]], {Promise.CENTRE}),
    "another verdict": ("attempt", lambda rows: [rows[0] | {"verdict": "void"}, *rows[1:]], {Promise.CENTRE}),
    "an attempt of nobody": ("attempt", lambda rows: [*rows, rows[0] | {"number": 99}], {Promise.CENTRE}),
    "a journal that was cut": (
        "incarnation",
        lambda rows: [rows[0] | {"next_line": int(str(rows[0]["next_line"])) - 1}, *rows[1:]],
        {Promise.CENTRE},
    ),
    "another journal": ("incarnation", lambda rows: [rows[0] | {"head": "\\x00"}, *rows[1:]], {Promise.CENTRE}),
    "a sum that is none": ("yield", lambda rows: [rows[0] | {"attempts": 7}, *rows[1:]], {Promise.CENTRE}),
    "a certificate of another key": (
        "certificate",
        lambda rows: [rows[0] | {"key": rows[1]["key"]}, *rows[1:]],
        {Promise.ISSUED, Promise.CENTRE},
    ),
    "a certificate that it lacks": ("certificate", lambda rows: rows[1:], {Promise.CENTRE}),
    "a block of two stations": (
        "block",
        lambda rows: [*rows, rows[0] | {"station": 3 - int(str(rows[0]["station"]))}],
        {Promise.NO_IDENTITY_TWICE},
    ),
    "an anomaly": (
        "anomaly",
        lambda rows: [*rows, {"kind": "dac.second", "subject": "x", "detail": {}}],
        {Promise.CENTRE},
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_the_centre_has_otherwise_is_found(evidence: Evidence, lie: str) -> None:
    table, change, promises = LIES[lie]
    assert changed(evidence, table, change) == promises


def test_a_secret_at_the_centre_is_found(spoiled: Spoiled) -> None:
    """In a journal's line, and the fleet's key in a table."""
    board = spoiled.board(STAYS)
    spoiled.append(
        json.dumps([1, "", "X", None, {"passcode": board.passcode}]).encode() + b"\n", "centre", "journals.jsonl"
    )
    key = (spoiled.folder / "common" / "fleet.key").read_text(encoding="ascii")
    spoiled.append(json.dumps({"id": 3, "name": key}).encode() + b"\n", "centre", "station.jsonl")
    found = [each for each in violations(Evidence.read(spoiled.folder)) if each.promise is Promise.NO_SECRET]
    places = {each.what.rpartition(" in ")[2] for each in found}
    assert places == {"centre/journals.jsonl", "centre/station.jsonl"}


def test_a_serial_number_that_the_pki_gave_twice_is_for_a_person(evidence: Evidence) -> None:
    """The centre has noted it, and no station could know."""
    one, other, *rest = evidence.pki.issued
    anomaly: Object = {"kind": "dac.second", "subject": f"key {one.serial_number:X}", "detail": {}}
    assert changed(evidence, "anomaly", lambda rows: [*rows, anomaly]) == {Promise.CENTRE}
    pki = replace(evidence.pki, issued=[one, replace(other, serial_number=one.serial_number), *rest])
    twice = replace(evidence, pki=pki)
    assert Promise.CENTRE not in changed(twice, "anomaly", lambda rows: [*rows, anomaly])
