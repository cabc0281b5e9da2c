# SPDX-License-Identifier: Apache-2.0
"""`/metrics`: counts what has ended since the last look into the ledger, and shows it with the daemon's status of the moment."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web

from station.adapters.ledger.board_reader import BoardReader
from station.adapters.ledger.news_reader import NewsReader
from station.faults.line import LedgerUnavailable
from station.line.status import Status
from station.web.aside import aside
from station.web.metrics import CONTENT_TYPE, Metrics


@dataclass(frozen=True, slots=True)
class Lot:
    """The lot that the line makes, and a reader for the route alone."""

    name: str
    ledger: BoardReader


class MetricsRoute:
    """Answers every scrape; one after the other, since each counts on from the one before."""

    def __init__(
        self,
        metrics: Metrics,
        ledger: NewsReader,
        lot: Lot | None,
        status: Callable[[], Awaitable[Status]],
        stream_clients: Callable[[], int],
    ) -> None:
        self._metrics = metrics
        self._ledger = ledger
        self._lot = lot
        self._status = status
        self._stream_clients = stream_clients
        self._turn = asyncio.Lock()
        with suppress(LedgerUnavailable):
            ledger.look()  # counts begin with the daemon, not with the first scrape

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/metrics", self._answer)

    async def _answer(self, _request: web.Request) -> web.StreamResponse:
        async with self._turn:
            with suppress(LedgerUnavailable):  # the status says it, and the next look counts what this one missed
                self._metrics.count(await aside(self._ledger.look))
                if self._lot is not None:
                    await self._count(self._lot)
            text = self._metrics.shown(await self._status(), stream_clients=self._stream_clients())
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})

    async def _count(self, lot: Lot) -> None:
        if (counts := await aside(lot.ledger.lot)) is not None:
            self._metrics.count_lot(lot.name, counts)
