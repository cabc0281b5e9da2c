# SPDX-License-Identifier: Apache-2.0
"""The ledger has what people did to slots and line: who, when, what and why."""

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.adapters.ledger.interventions import history
from station.domain.intervention import LONGEST_ACCOUNT, LONGEST_REASON, Deed, Intervention
from tests.builders.commands import station
from tests.builders.deeds import AT, by_anna

MINUTE = timedelta(minutes=1)
HELD = by_anna(Deed.HOLD, "4")
RELEASED = by_anna(Deed.RELEASE, "4", fault="slot.held", reason="", at=AT + MINUTE)
LINE = by_anna(Deed.RELEASE, None, fault="line.suspected", reason="new batch of boards", at=AT + 2 * MINUTE)
DRAINED = by_anna(Deed.DRAIN, None, reason="", at=AT + 3 * MINUTE)


@pytest.fixture
async def filled(path: Path) -> Path:
    async with Ledger.open(path, station="line-1") as ledger:
        await ledger.record_interventions([HELD])
        await ledger.record_interventions([LINE, RELEASED])
        await ledger.record_interventions([DRAINED])
    return path


def test_they_are_read_back_in_their_order(filled: Path) -> None:
    found = [
        Intervention(each.at, each.who, Deed(each.deed), each.slot, each.fault, each.reason) for each in history(filled)
    ]
    assert found == [HELD, LINE, RELEASED, DRAINED]


def test_they_are_selected_by_slot_and_time(filled: Path) -> None:
    assert [each.deed for each in history(filled, slot="4")] == ["hold", "release"]
    assert [each.at for each in history(filled, since=AT + MINUTE, until=AT + 3 * MINUTE)] == [LINE.at, RELEASED.at]
    assert [each.at for each in history(filled, newest=2)] == [DRAINED.at, RELEASED.at]


def test_the_history_shows_who_and_why(filled: Path) -> None:
    output = station("slots", "history", "--ledger", filled).stdout
    rows = output.splitlines()[1:]
    assert len(rows) == 4
    assert "anna" in rows[0]
    assert "slot 4" in rows[0]
    assert "pins are dirty" in rows[0]
    assert "the line" in rows[1]
    assert "line.suspected" in rows[1]


def test_the_history_as_json_has_utc(filled: Path) -> None:
    answer = json.loads(station("slots", "history", "--slot", "4", "--json", "--ledger", filled).stdout)
    assert answer == {
        "schema": 1,
        "interventions": [
            {
                "at": "2026-11-23T08:15:30.250Z",
                "station": "line-1",
                "who": "anna",
                "deed": "hold",
                "slot": "4",
                "fault": None,
                "reason": "pins are dirty",
            },
            {
                "at": "2026-11-23T08:16:30.250Z",
                "station": "line-1",
                "who": "anna",
                "deed": "release",
                "slot": "4",
                "fault": "slot.held",
                "reason": "",
            },
        ],
        "more": False,
    }


def test_the_history_says_that_there_is_more(filled: Path) -> None:
    answer = json.loads(station("slots", "history", "--last", "1", "--json", "--ledger", filled).stdout)
    assert [each["deed"] for each in answer["interventions"]] == ["drain"]
    assert answer["more"] is True
    assert "--all" in station("slots", "history", "--last", "1", "--ledger", filled).stdout


async def test_an_empty_history_is_a_sentence(path: Path) -> None:
    async with Ledger.open(path, station="line-1"):
        pass
    assert station("slots", "history", "--ledger", path).stdout.startswith("Nobody has")


@pytest.mark.parametrize("deed", ["UPDATE intervention SET who = 'bert'", "DELETE FROM intervention"])
def test_no_intervention_is_ever_edited(filled: Path, deed: str) -> None:
    with (
        closing(sqlite3.connect(filled)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="an intervention is never edited"),
    ):
        connection.execute(deed)


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        ("", ""),
        ("a" * (LONGEST_ACCOUNT + 1), ""),
        ("anna\n", ""),
        ("anna", "two\nlines"),
        ("anna", "\x1b[2J"),
        ("anna", "\u202e"),
        ("anna", "\ud800"),
        ("anna", "x" * (LONGEST_REASON + 1)),
    ],
)
def test_account_and_reason_are_one_line(who: str, reason: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        Intervention(AT, who, Deed.HOLD, "4", None, reason)
