# SPDX-License-Identifier: Apache-2.0
"""Lies planted into what a small campaign at two stations has left: the referee judges ledgers, boards and centre together."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.builders.postgresql import MISSING, programs
from tests.campaign.evidence import Evidence
from tests.campaign.recorded_at_two import FIRST, MOVES, RETURNS, SECOND, STAYS, recorded_at_two
from tests.campaign.referee.boards import SERIAL_NUMBER
from tests.campaign.referee.judge import violations
from tests.campaign.referee.violation import Promise
from tests.campaign.spoiled import Object, Spoiled

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if programs() is None:
        pytest.skip(MISSING)
    return recorded_at_two(tmp_path_factory.mktemp("stations"))


@pytest.fixture
def spoiled(left: Path, tmp_path: Path) -> Spoiled:
    return Spoiled.copy(left, tmp_path / "left")


def central(uid: str) -> str:
    """As the centre's files have it."""
    return f"\\x{uid}"


def changed(spoiled: Spoiled, table: str, number: int, **values: object) -> None:
    """Changes the centre's rows of one board."""
    uid = central(spoiled.board(number).uid)
    spoiled.lines(lambda rows: [row | values if row["uid"] == uid else row for row in rows], "centre", f"{table}.jsonl")


def test_two_stations_have_broken_no_promise(left: Path) -> None:
    """A unit that failed at one is finished at the other, and one that has passed is confirmed there, with their own certificates."""
    evidence = Evidence.read(left)
    assert violations(evidence) == []
    attempts = {ledger.station: [each.verdict for each in ledger.attempts] for ledger in evidence.ledgers}
    assert attempts == {FIRST: ["pass", "fail", "pass"], SECOND: ["pass", "pass"]}
    assert len(evidence.pki.issued) == len(evidence.central("unit")) == len(evidence.boards) == 3


# --- between the stations ---------------------------------------------------------------------------------------------


def test_a_serial_number_of_two_stations_is_found(spoiled: Spoiled) -> None:
    """The second has given its unit the number of one that only the first has made, and told the centre so."""
    number = spoiled.board(STAYS).serial_number
    assert number is not None
    spoiled.ledger(
        "UPDATE identity SET serial_number = :number WHERE uid = :uid",
        station=SECOND,
        number=number,
        uid=spoiled.board(MOVES).uid,
    )
    spoiled.records(MOVES, {SERIAL_NUMBER: number.encode()})
    changed(spoiled, "identity", MOVES, serial_number=number)
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


def test_a_pass_at_the_centre_that_no_station_has_is_found(spoiled: Spoiled) -> None:
    new = {"uid": central("ab" * 12), "rank": 4, "verdict": "pass"}
    spoiled.lines(lambda units: [*units, units[0] | new], "centre", "unit.jsonl")
    assert spoiled.promises() == {Promise.NO_FALSE_PASS, Promise.CENTRE}


def test_a_unit_that_the_centre_has_twice_is_found(spoiled: Spoiled) -> None:
    spoiled.lines(lambda units: [*units, units[0]], "centre", "unit.jsonl")
    assert spoiled.promises() == {Promise.CENTRE}


def test_a_serial_number_that_the_centre_has_of_two_units_is_found(spoiled: Spoiled) -> None:
    changed(spoiled, "identity", STAYS, serial_number=spoiled.board(RETURNS).serial_number)
    assert spoiled.promises() == {Promise.NO_IDENTITY_TWICE, Promise.CENTRE}


def test_a_certificate_that_the_centre_has_of_two_units_is_found(spoiled: Spoiled) -> None:
    rows = Evidence.read(spoiled.folder).central("certificate")
    changed(spoiled, "certificate", STAYS, dac_serial=next(_of(rows, spoiled, MOVES))["dac_serial"])
    assert spoiled.promises() == {Promise.NO_IDENTITY_TWICE}


def _of(rows: object, spoiled: Spoiled, number: int) -> Iterator[Mapping[str, object]]:
    assert isinstance(rows, list)
    return (row for row in rows if row["uid"] == central(spoiled.board(number).uid))


LIES: Mapping[str, tuple[str, Callable[[list[Object]], list[Object]], set[Promise]]] = {
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
def test_what_the_centre_has_otherwise_is_found(spoiled: Spoiled, lie: str) -> None:
    table, change, promises = LIES[lie]
    spoiled.lines(change, "centre", f"{table}.jsonl")
    assert spoiled.promises() == promises


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


def test_without_its_centre_one_station_is_judged_alone(spoiled: Spoiled) -> None:
    shutil.rmtree(spoiled.folder / "centre")
    assert spoiled.promises() == set()
