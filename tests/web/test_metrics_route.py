# SPDX-License-Identifier: Apache-2.0
"""`/metrics` over HTTP: what ended since the daemon's start is counted once, however often somebody asks."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from station.adapters.ledger import Ledger
from station.adapters.ledger.board_reader import BoardReader
from station.adapters.ledger.commit_times import CommitTimes
from station.adapters.ledger.news_reader import NewsReader
from station.line.status import Status
from station.web.metrics import CONTENT_TYPE, Metrics
from station.web.metrics_route import Lot, MetricsRoute
from tests.builders.bench import Secrets, begun, passed
from tests.web.test_metrics import Samples, read, slot, status

LOT = "LOT-1"
PASSES = (("slot", "1"), ("verdict", "pass"))


async def of_the_moment() -> Status:
    return status(slot("1", "pass"))


async def scraped(client: TestClient[web.Request, web.Application]) -> Samples:
    async with client.get("/metrics") as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, CONTENT_TYPE)
        return read(await answer.read())


async def test_each_attempt_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those before the daemon's start are not; a ledger that cannot be read costs its counters' news, and nothing else."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "machine"))
    path, secrets = tmp_path / "state" / "ledger.sqlite", Secrets()
    path.parent.mkdir()
    async with Ledger.open(path, station="line-1") as ledger:
        await passed(await begun(ledger, secrets), 1)
        metrics = Metrics(version="1", slots=["1"], commits=ledger.commit_times)
        lot = Lot(LOT, BoardReader(path, LOT))
        route = MetricsRoute(metrics, NewsReader(path), lot, of_the_moment, lambda: 3)
        app = web.Application()
        route.add_to(app)
        await passed(await begun(ledger, secrets), 2, "0B")
        async with TestClient(TestServer(app)) as client:
            for samples in [await scraped(client) for _ in range(2)]:
                assert samples["station_attempts_total"][PASSES] == 1
                assert samples["station_stream_clients"][()] == 3
            await passed(await begun(ledger, secrets), 3, "0C")
            many = await asyncio.gather(*(scraped(client) for _ in range(5)))
            assert {samples["station_attempts_total"][PASSES] for samples in many} == {2}
            assert many[-1]["station_lot_units"] == {
                (("lot", LOT), ("what", "failed")): 0,
                (("lot", LOT), ("what", "passed")): 3,
            }
            assert (
                many[0]["station_ledger_commit_seconds_count"][()] > samples["station_ledger_commit_seconds_count"][()]
            )


async def test_a_ledger_that_cannot_be_read_does_not_hide_the_line(tmp_path: Path) -> None:
    """The gauges are from the daemon itself."""
    none = tmp_path / "none.sqlite"
    metrics = Metrics(version="1", slots=["1"], commits=CommitTimes())
    route = MetricsRoute(metrics, NewsReader(none), Lot(LOT, BoardReader(none, LOT)), of_the_moment, lambda: 0)
    app = web.Application()
    route.add_to(app)
    async with TestClient(TestServer(app)) as client:
        samples = await scraped(client)
    assert samples["station_slot_state"][(("slot", "1"), ("state", "pass"))] == 1
    assert samples["station_attempts_total"][PASSES] == 0
