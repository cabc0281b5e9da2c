# SPDX-License-Identifier: Apache-2.0
"""The rows of the shared ledger's centre: each figure beside its bound and against its goal."""

import pytest

from benchmarks.figures import Row, Verdict
from benchmarks.shared import BATCH, LARGE, LARGE_BATCH, SMALL, Shared
from benchmarks.shared_price import Price
from benchmarks.shared_rows import price_rows, shared_rows
from benchmarks.shared_stations import Times, tell_unit
from station.adapters.centre.centre import Centre
from station.adapters.centre.connection import Connection
from station.adapters.centre.told import told
from tests.builders.centres import Chance, Teller


def times(push_ms: float, claim_ms: float) -> Times:
    """A hundred of each, of which the slowest two took ten times as long."""
    slow = [1.0] * 98 + [10.0] * 2
    pushes, claims = ([milliseconds / 1000 * each for each in slow] for milliseconds in (push_ms, claim_ms))
    return Times(pushes, claims, lags=[0.5 + push for push in pushes], wall=1.0)


FOUND = Shared(
    paced=[times(9, 6), times(11, 7), times(12, 8)],
    paced_bare=[times(2, 1)],
    rates={BATCH: [1000.0, 1100.0, 800.0], LARGE_BATCH: [1900.0]},
    cpu={BATCH: [0.0006], LARGE_BATCH: [0.0002]},
    bare_rates={BATCH: [4000.0], LARGE_BATCH: [9000.0]},
    grants={SMALL: [0.015], LARGE: [2.5]},
    bare_grants={SMALL: [0.002], LARGE: [0.4]},
    bytes_a_unit=4300.0,
    segment_bytes=2200.0,
)


def test_each_goal_is_met_or_missed() -> None:
    rows: dict[str, Row] = {row.what: row for row in shared_rows(FOUND)}
    assert {what: row.verdict for what, row in rows.items() if row.goal is not None} == {
        "push, 100 stations, 351 units/s, a claim a board, median": Verdict.MET,
        "  99 %": Verdict.MISSED,
        "claim, at the same time, median": Verdict.MISSED,
        "  claim, 99 %": Verdict.MISSED,
        "from a verdict until the centre has it, median": Verdict.MET,
        "saturated, 4 units a push": Verdict.MET,
        "saturated, 64 units a push": Verdict.MISSED,
        "an hour away, drained at that rate while 351 units/s go on coming": Verdict.MET,
        "grant of 1,024 items": Verdict.MET,
        "grant of 65,536 items": Verdict.MISSED,
    }
    assert {what: round(row.bound, 6) for what, row in rows.items() if row.bound is not None} == {
        "push, 100 stations, 351 units/s, a claim a board, median": 2,
        "  99 %": 20,
        "claim, at the same time, median": 1,
        "  claim, 99 %": 10,
        "from a verdict until the centre has it, median": 502,
        "saturated, 4 units a push": 4000,
        "saturated, 64 units a push": 9000,
        "an hour away, drained at that rate while 351 units/s go on coming": 2.434964,
        "grant of 1,024 items": 2,
        "grant of 65,536 items": 400,
    }
    assert rows["size of a unit, with indexes"].sample.median == pytest.approx(4.3)


def test_the_price_of_a_centre_is_the_difference_within_each_round() -> None:
    """The second round met a slower machine, and its difference counts all the same."""
    found = Price([0.040, 0.060, 0.041], [0.042, 0.062, 0.050], memory_alone=100_000_000, memory_shared=121_000_000)
    more, _, _, memory, *_ = price_rows(found)
    assert more.sample.values == pytest.approx((2.0, 2.0, 9.0))
    assert (more.verdict, memory.verdict) == (Verdict.MET, Verdict.MISSED)
    assert more.bound == 0
    assert memory.sample.median == pytest.approx(21.0)


def test_a_measured_unit_is_told_like_one_of_a_line(teller: Teller) -> None:
    """Nobody measures lines that the centre cannot read."""
    teller.indexes = [0, 1]
    tell_unit(teller)
    tell_unit(teller)
    names = [type(fact.fact).__name__ for each in teller.journal.lines if (fact := told(each))]
    assert len(teller.journal.lines) == 2 * 28 + 1
    assert names.count("AttemptEnded") == names.count("CertificateIssued") == names.count("AttemptBegun") == 2
    assert names.count("IntermediateSeen") == 1


@pytest.fixture
def teller() -> Teller:
    """A station that is connected to nothing."""
    connection = Connection("host=/nowhere", "line-1")
    return Teller(Centre(connection), Chance(), connection)
