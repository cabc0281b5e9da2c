# SPDX-License-Identifier: Apache-2.0
"""A passcode that is known to the ledger is in no answer: of no page, no route of the API, not in metrics or stream."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from station.adapters.ledger import Ledger
from station.adapters.ledger.news_reader import NewsReader
from station.adapters.ledger.reader import LedgerReader
from station.adapters.system.people_file import PeopleFile
from station.domain.attempt import Failed
from station.web import routes
from station.web.api import Api
from station.web.central import Central
from station.web.counted import Counted
from station.web.metrics import Metrics
from station.web.metrics_route import MetricsRoute
from station.web.pages import Pages
from station.web.pins import PINs
from station.web.site import Site
from tests.builders.bench import Secrets, begun, onboarding, passed, recognised, target
from tests.web.fake_door import FakeDoor, running, slot
from tests.web.shared_view import view
from tests.web.test_api import Acts
from tests.web.test_metrics_route import of_the_moment

NUMBER = 53893607
CANARY = onboarding(NUMBER).passcode.value  # digits that no other number has
UID = re.compile(r"[0-9a-f]{24}")


@pytest.fixture
async def client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """Everything that a daemon serves, over a ledger of a passed and a failed unit."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "machine"))
    path, recipe = tmp_path / "state" / "ledger.sqlite", tmp_path / "recipe.toml"
    path.parent.mkdir()
    recipe.write_text("")
    async with Ledger.open(path, station="line-1") as ledger:
        secrets = Secrets((NUMBER, NUMBER + 1))
        await passed(await begun(ledger, secrets), 1)
        failed = await begun(ledger, secrets)
        await recognised(failed, 2)
        await failed.finish(Failed("board.silent", {"opcode": "1"}))
        units = [await ledger.identity(target(board).uid) for board in (1, 2)]
        assert [unit.secrets.passcode.value for unit in units if unit] == [CANARY, CANARY + 1]
        door = FakeDoor([running("1"), slot("2", "fail", "board.silent", attempt=2)])
        site, reader, counted = Site(door, "127.0.0.1:0"), LedgerReader(path), Counted(path, recipe)
        central = Central(view)
        api = Api(door, lambda: site.hub, reader, PINs(PeopleFile(tmp_path / "people.json")), Acts(), counted, central)
        told = Metrics(version="1", slots=["1", "2"], commits=ledger.commit_times)
        metrics = MetricsRoute(told, NewsReader(path), None, of_the_moment, lambda: 0)
        site.further = [routes.of(api), metrics.add_to, Pages(door, reader, counted, central).add_to]
        async with TestClient(TestServer(site.application())) as found:
            yield found


def paths(app: web.Application) -> set[str]:
    """Every route that may be read, with a unit, a slot and a lot that there are."""
    named = {"{unit}": "SN000001", "{slot}": "1", "{lot}": "LOT-1"}
    found = set()
    for route in app.router.routes():
        if route.method == "GET" and route.resource is not None and "assets" not in route.resource.canonical:
            path = route.resource.canonical
            for name, value in named.items():
                path = path.replace(name, value)
            found.add(path)
    return found


async def test_no_answer_has_a_passcode(client: TestClient[web.Request, web.Application]) -> None:
    """The test's own eyes are good: the ledger knows both. A label is not for those without a token."""
    hidden = [form for number in (NUMBER, NUMBER + 1) for form in _forms(number)]
    app = client.server.app  # type: ignore[attr-defined]  # a TestServer has one
    asked = paths(app)
    assert {"/numbers", "/units/SN000001", "/events", "/metrics", "/api/v1/units/SN000001", "/api/v1/stream"} <= asked
    assert not [path for path in asked if "{" in path]
    queries = {"/api/v1/attempts": ["?format=csv", "?format=jsonl"], "/units": ["?find=SN000002"]}
    for path in sorted({*asked, *(path + query for path, some in queries.items() for query in some)}):
        async with client.get(path) as answer:
            assert answer.status == (401 if "/label." in path else 200), path
            stream = answer.content_type == "text/event-stream"
            text = (await answer.content.readuntil(b"event: beat")).decode() if stream else await answer.text()
            told = UID.sub("", text + json.dumps(dict(answer.headers)))
            assert not [form for form in hidden if form in told], path


def _forms(number: int) -> list[str]:
    """A passcode's digits, and what follows from it, in hexadecimal digits and as text."""
    secret = onboarding(number)
    return [str(secret.passcode.value), secret.salt.hex(), secret.verifier.hex(), "canary"]
