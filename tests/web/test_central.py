# SPDX-License-Identifier: Apache-2.0
"""The page of all stations: what the centre says, or that it says nothing, for whoever may read."""

import json
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from station.adapters.ledger import Ledger
from station.adapters.ledger.reader import LedgerReader
from station.adapters.system.people_file import PeopleFile
from station.domain.people import Role
from station.web import central as page
from station.web import routes
from station.web.api import PREFIX, Api
from station.web.central import NO_READER, Central, CentreAway, SharedView
from station.web.counted import Counted
from station.web.pages import Pages
from station.web.pins import PINs
from station.web.reading import Reading
from station.web.site import Site
from tests.web.fake_door import FakeDoor, slot
from tests.web.shared_view import view
from tests.web.test_api import Acts

Client = TestClient[web.Request, web.Application]


@dataclass
class Desk:
    folder: Path
    people: PeopleFile

    def site(self, central: Central | None, *, signs_in: bool = False) -> Site:
        """A page of this line; `signs_in`: as other PCs reach it."""
        path, pins = self.folder / "state" / "ledger.sqlite", PINs(self.people)
        door, counted = FakeDoor([slot("1")]), Counted(path, self.folder / "recipe.toml")
        site = Site(door, "127.0.0.1:0", reading=Reading(pins, 8) if signs_in else None)
        api = Api(door, lambda: site.hub, LedgerReader(path), pins, Acts(), counted, central)
        site.further = [routes.of(api), Pages(door, LedgerReader(path), counted, central).add_to]
        return site


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "machine"))
    (tmp_path / "state").mkdir()
    async with Ledger.open(tmp_path / "state" / "ledger.sqlite", station="line-1"):
        yield Desk(tmp_path, PeopleFile(tmp_path / "people.json"))


def asked(desk: Desk, look: Callable[[], SharedView] | None) -> Client:
    return TestClient(TestServer(desk.site(Central(look)).application()))


async def text_of(client: Client, path: str, status: int = 200) -> str:
    async with client.get(path) as answer:
        assert answer.status == status
        return await answer.text()


async def test_every_station_is_shown_with_what_waits_for_a_person(desk: Desk) -> None:
    async with asked(desk, view) as client:
        text = await text_of(client, "/central")
    for name in ("line-1", "(this one)", "line-2", "17 min ago", "line-3", "flash.mismatch", "98.6 %"):
        assert name in text
    assert "station central anomalies list" in text
    assert '<td class="number void" data-of="heard">17 min ago' in text
    assert '<td class="number fail" data-of="items left">0</td>' in text


async def test_programs_get_the_same(desk: Desk) -> None:
    async with asked(desk, view) as client:
        told = json.loads(await text_of(client, f"{PREFIX}/central"))
    assert SharedView.model_validate(told) == view()


def away() -> SharedView:
    raise CentreAway("<no> route to host")


async def test_a_centre_that_is_away_is_told_in_words(desk: Desk) -> None:
    """The text of the trouble is no markup. People can ask again."""
    async with asked(desk, away) as client:
        text = await text_of(client, "/central", 503)
        assert "&lt;no&gt; route to host" in text
        assert "ask again" in text
        assert "<no> route to host" in json.loads(await text_of(client, f"{PREFIX}/central", 503))["detail"]


async def test_without_a_reader_the_page_says_what_to_set(desk: Desk) -> None:
    async with asked(desk, None) as client:
        assert NO_READER.partition(":")[0] in await text_of(client, "/central", 503)


async def test_a_line_of_its_own_has_no_such_page(desk: Desk) -> None:
    """And no link to one."""
    async with TestClient(TestServer(desk.site(None).application())) as client:
        assert "/central" not in await text_of(client, "/numbers")
        await text_of(client, "/central", 404)
        await text_of(client, f"{PREFIX}/central", 404)
    async with asked(desk, view) as client:
        assert 'href="/central"' in await text_of(client, "/numbers")


async def test_all_who_ask_at_once_are_one_question(desk: Desk) -> None:
    """Opening the page does nothing to the line, and reloading it a hundred times does nothing to the centre."""
    looks = []

    def look() -> SharedView:
        looks.append(1)
        return view()

    async with asked(desk, look) as client:
        for _ in range(5):
            await text_of(client, "/central")
        await text_of(client, f"{PREFIX}/central")
        await text_of(client, "/numbers")
    assert len(looks) == 1


async def test_a_centre_that_does_not_answer_is_waited_for_no_longer_than_its_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is it asked again while the question before is still open."""
    monkeypatch.setattr(page, "WITHIN", 0.05)
    monkeypatch.setattr(page, "FRESH_FOR", -1.0)
    let_go, looks = threading.Event(), []

    def look() -> SharedView:
        looks.append(1)
        let_go.wait()
        return view()

    async with asked(desk, look) as client:
        try:
            for _ in range(3):
                assert "has not answered within" in await text_of(client, "/central", 503)
        finally:
            let_go.set()
    assert len(looks) == 1


async def test_where_people_sign_in_nobody_else_reads_it(desk: Desk) -> None:
    token = desk.people.add_token("MES", Role.READER)
    site = desk.site(Central(view), signs_in=True)
    async with TestClient(TestServer(site.application())) as client:
        async with client.get("/central", allow_redirects=False) as answer:
            assert answer.status == 303
        async with client.get(f"{PREFIX}/central") as answer:
            assert answer.status == 401
        async with client.get("/central", headers={"Authorization": f"Bearer {token}"}) as answer:
            assert answer.status == 200
