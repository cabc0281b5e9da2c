# SPDX-License-Identifier: Apache-2.0
"""A running line under a work order: it stops at the plan, units that have begun go on, and the next order goes on by itself."""

import json
from collections.abc import Iterator

import pytest

from station.adapters.ledger import lot_reader
from tests.builders.json_lines import objects_of
from tests.builders.line import Line
from tests.builders.station_demo import SHORT_DEADLINES
from tests.line.standing_line import Standing, issued

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

BY = ("--reason", "as ordered")


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in SHORT_DEADLINES.items():
            monkeypatch.setenv(name, value)
        with Line.standing(tmp_path_factory.mktemp("lots") / "line", 2, time_scale=0.02) as line:
            yield Standing(line)


def test_a_line_makes_what_was_ordered(standing: Standing) -> None:
    """One board passes, one fails and one waits, for an order of two; the failed one is plugged in again and passes."""
    standing.station(
        *("lots", "open", "W1", "--work-order", "4711", "--planned", "2", "--pattern", "W1-{:04d}", "--first", "1"),
        *("--size", "3", *BY),
    )
    standing.bench("fault", "--board", "2", "--at", "await_csr", "--what", "csr_bad_signature")
    standing.bench("plug", "1", "2")
    assert standing.wait(1, lambda slot: slot.verdict is not None).verdict == "pass"
    assert standing.wait(2, lambda slot: slot.verdict is not None).verdict == "fail"
    standing.bench("unplug", "1")
    standing.wait(1, lambda slot: slot.probe is None)
    standing.bench("plug", "1", "--new")
    standing.until(lambda: standing.line.status().line.fault == "lot.full")
    assert standing.line.status().line.state == "paused"

    standing.bench("unplug", "2")
    standing.wait(2, lambda slot: slot.probe is None)
    standing.bench("plug", "2")
    assert standing.wait(2, lambda slot: slot.verdict is not None).verdict == "pass"
    (lot,) = json.loads(standing.station("lots", "list", "--json"))["lots"]
    assert (lot["passed"], lot["to_do"], lot["work_order"]) == (2, 0, "4711")

    standing.station("lots", "close", "W1", *BY)
    standing.until(lambda: standing.line.status().line.fault == "lot.not_open")
    standing.station(
        *("lots", "open", "W2", "--work-order", "4712", "--planned", "1", "--pattern", "W2-{:04d}", "--first", "1"),
        *("--size", "1", *BY),
    )
    assert standing.wait(1, lambda slot: slot.verdict == "pass").state == "pass"
    status = standing.line.status()
    assert status.line.state == "open"
    assert status.lot is not None
    assert (status.lot.work_order, status.lot.passed, status.lot.units_left) == ("4712", 1, 0)
    for name in ("W1", "W2"):
        found = lot_reader.lot(standing.line.folder / "ledger.sqlite", name)
        assert found is not None
        assert list(found[1].mistakes()) == []
    log = objects_of(standing.line.folder / "logs" / "station.jsonl")
    ends = [line for line in log if line["event"] == "attempt.finished"]
    assert [(each["verdict"], each["work_order"]) for each in ends if each["verdict"] == "pass"] == [
        ("pass", "4711"),
        ("pass", "4711"),
        ("pass", "4712"),
    ]


def test_a_scrapped_board_is_refused_before_anything_is_touched(standing: Standing) -> None:
    """Its flash is as it was, its attempt void, its certificate to be revoked; and its order has room again."""
    standing.bench("unplug", "2")
    standing.wait(2, lambda slot: slot.probe is None)
    uid = standing.slot(1).uid
    assert uid is not None
    before = contents(standing)
    told = standing.station("units", "scrap", uid, "--reason", "cracked")
    standing.bench("unplug", "1")
    standing.wait(1, lambda slot: slot.probe is None)
    standing.bench("plug", "1")
    slot = standing.wait(1, lambda slot: slot.verdict is not None)
    assert (slot.state, slot.fault) == ("void", "unit.scrapped")
    assert contents(standing) == before
    status = standing.line.status()
    assert status.lot is not None
    assert (status.lot.passed, status.lot.units_left, status.line.state) == (0, 1, "open")
    (orphan,) = json.loads(standing.station("pki", "orphans", "--json"))["orphans"]
    assert (orphan["kind"], orphan["uid"]) == ("scrapped", uid)
    assert orphan["serial_number"] in told


def test_samples_prove_the_line_before_it_goes_on(standing: Standing) -> None:
    """A bad board fails, another board waits, a good board passes, and then the other one passes: with the only new certificate."""
    standing.station("lots", "close", "W2", *BY)
    standing.station(
        *("lots", "open", "W3", "--work-order", "4713", "--planned", "2", "--pattern", "W3-{:04d}", "--first", "1"),
        *("--size", "4", *BY),
    )
    pulled(standing, 1)
    standing.bench("fault", "--board", "4", "--at", "await_csr", "--what", "csr_bad_signature", "--set", "times=9")
    standing.bench("plug", "1", "--new")
    bad = standing.wait(1, lambda slot: slot.verdict is not None)
    assert (bad.verdict, bad.fault) == ("fail", "csr.invalid")
    standing.station("samples", "add", str(bad.uid), "--fault", "csr.invalid", *BY)
    standing.station("samples", "add", uid_of(standing, 2), *BY)
    bought = issued(standing)
    pulled(standing, 1)
    standing.bench("plug", "1")
    assert standing.wait(1, lambda slot: slot.verdict is not None).fault == "csr.invalid"

    pulled(standing, 1)
    standing.bench("plug", "1", "--new")
    standing.until(lambda: standing.line.status().line.fault == "samples.due")
    assert issued(standing) == bought
    standing.bench("plug", "2")
    assert standing.wait(2, lambda slot: slot.verdict is not None).verdict == "pass"
    assert standing.wait(1, lambda slot: slot.verdict == "pass").state == "pass"
    assert standing.line.status().line.state == "open"
    assert len(issued(standing)) == len(bought) + 1
    found = lot_reader.lot(standing.line.folder / "ledger.sqlite", "W3")
    assert found is not None
    record, balance = found
    assert (record.passed, record.to_do, balance.samples, list(balance.mistakes())) == (1, 1, 1, [])
    told = json.loads(standing.station("samples", "list", "--json"))["samples"]
    assert [each["good"] for each in told] == [True, True]


def pulled(standing: Standing, number: int) -> None:
    standing.bench("unplug", str(number))
    standing.wait(number, lambda slot: slot.probe is None)


def uid_of(standing: Standing, board: int) -> str:
    """The UID of the board with this number, from the bench's own file."""
    saved = [json.loads(path.read_text()) for path in standing.line.folder.glob("boards/*/board.json")]
    return next(str(each["uid"]) for each in saved if int(each["number"]) == board)


def contents(standing: Standing) -> dict[str, bytes]:
    """What is in the flash of all boards, by file."""
    files = standing.line.folder.glob("boards/*/*.bin")
    return {str(file): file.read_bytes() for file in files}
