# SPDX-License-Identifier: Apache-2.0
"""What a line tells: a fact with typed fields, nothing, or that it cannot be read."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.adapters.centre.told import Unreadable, moment, told
from station.domain.facts import AttemptEnded
from station.domain.shared import Line
from station.domain.target import UID
from tests.builders.centres import BEGUN, LOT, RELEASE, body

ENDED = AttemptEnded(
    7, UID(bytes(12)), "3", "fail", "flash.mismatch", BEGUN, 16.8, LOT, RELEASE, laboratory=False, first=2
)
AT = "2026-11-23T08:15:30.250Z"


def line(content: object, number: int = 5) -> Line:
    return Line(number, json.dumps(content, separators=(",", ":")).encode(), bytes(32))


def test_a_fact_comes_as_it_was_told() -> None:
    found = told(line([5, AT, "AttemptEnded", None, body(ENDED)]))
    assert found is not None
    assert (found.number, found.at, found.fact) == (5, datetime(2026, 11, 23, 8, 15, 30, 250000, UTC), ENDED)


@pytest.mark.parametrize("name", ["StepStarted", "UnitWashed"])
def test_events_and_later_facts_tell_nothing(name: str) -> None:
    assert told(line([5, AT, name, 7, {"step": "recognise"}])) is None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ([6, AT, "StepStarted", 7, {}], "number 6"),
        ([6, AT, "AttemptEnded", None, body(ENDED)], "number 6"),
        ([5, "yesterday", "AttemptEnded", None, body(ENDED)], "moment"),
        ([5, "2026-11-23T08:15:30", "AttemptEnded", None, body(ENDED)], "time zone"),
        ([5, "0001-01-01T00:00:00+14:00", "AttemptEnded", None, body(ENDED)], "before all time"),
        ([5, AT, "AttemptEnded", None, {**body(ENDED), "seconds": "16.8"}], "seconds"),
        ([5, AT, "AttemptEnded", None, {**body(ENDED), "laboratory": 0}], "laboratory"),
        ([5, AT, "AttemptEnded", None, {**body(ENDED), "slot": "\ud800"}], "slot"),
        ([5, AT, "RequestSubmitted", None, {"request": 1, "key": "no key", "uid": "00" * 12}], "key"),
        ([5, AT, "AttemptEnded", None, []], "no array"),
        ([5, AT], "no array"),
        ({}, "no array"),
    ],
)
def test_what_cannot_be_read_says_why(content: object, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        told(line(content))


@given(st.binary())
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    try:
        told(Line(1, text, bytes(32)))
    except Unreadable:
        assert moment(Line(1, text, bytes(32))) is None


def test_a_line_may_be_deep() -> None:
    with pytest.raises(Unreadable):
        told(Line(1, b"[" * 100_000, bytes(32)))
