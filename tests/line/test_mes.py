# SPDX-License-Identifier: Apache-2.0
"""A whole line and an MES: asked before each board, and told each verdict, although it is down and the daemon is killed."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import web

from tests.builders.line import Line
from tests.builders.station_demo import SHORT_DEADLINES
from tests.line.standing_line import Standing
from tests.mes.receiver import SECRET, Receiver, receiving

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]


@contextmanager
def in_a_thread(receiver: Receiver, questions: list[dict[str, object]]) -> Iterator[str]:
    """The receiver, and a server for the question before a board, which allows only the first board. Yields its URL."""
    ready, ended = threading.Event(), threading.Event()
    urls: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        questions.append(await request.json())
        allowed = questions[-1]["uid"] == questions[0]["uid"]
        return web.json_response({"allowed": allowed, "reason": "not tested yet"})

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/route", answer)
        runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with receiving(receiver):
            urls.append(f"http://127.0.0.1:{runner.addresses[0][1]}/route")
            ready.set()
            await asyncio.to_thread(ended.wait)
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    try:
        yield urls[0]
    finally:
        ended.set()
        thread.join()


def test_an_mes_that_is_down_and_a_daemon_that_is_killed_lose_no_verdict(
    tmp_path: Path, secrets_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line passes boards meanwhile; a board that belongs elsewhere is void, and its slot stays in service."""
    secret = tmp_path / "webhook.secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    receiver, questions = Receiver(mode="down"), list[dict[str, object]]()
    with in_a_thread(receiver, questions) as route:
        settings = {"WEBHOOK": receiver.url, "SECRET_FILE": str(secret), "ROUTE": route, "ROUTE_WITHIN": "60"}
        for name, value in (SHORT_DEADLINES | {f"STATION__MES__{key}": text for key, text in settings.items()}).items():
            monkeypatch.setenv(name, value)
        with Line.standing(tmp_path / "line", 2) as line:
            standing = Standing(line)
            assert standing.next_board(1).verdict == "pass"
            mes = line.status().mes
            assert mes is not None
            assert (mes.sinks[0].pending, mes.late) == (1, 0)
            daemon = line.processes["daemon"]
            daemon.kill()
            daemon.wait()
            receiver.mode = "ok"
            line.start_daemon()
            standing.until(lambda: bool(receiver.taken))
            elsewhere = standing.next_board(2)
            assert (elsewhere.verdict, elsewhere.fault, elsewhere.service) == ("void", "mes.not_routed", "in")
            standing.until(lambda: len(receiver.ids) == 2)
            standing.until(lambda: json.loads(standing.station("outbox", "list", "--json"))["messages"] == [])
    told = {str(event["id"]): event["data"] for event in receiver.taken}
    verdicts = [data["verdict"] for data in told.values() if isinstance(data, dict)]
    assert verdicts == ["pass", "void"]
    assert [sorted(question) for question in questions] == [["product", "station", "uid", "work_order"]] * 2
