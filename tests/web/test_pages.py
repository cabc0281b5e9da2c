# SPDX-License-Identifier: Apache-2.0
"""The engineer's pages over HTTP: rendered on the daemon's side, from a real ledger, for a line that is made up."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from station.adapters.ledger import Ledger
from station.adapters.ledger.reader import LedgerReader
from station.domain.attempt import Voided
from station.line.status import HoldStatus
from station.matter.onboarding.codes import OnboardingPayload, qr_code
from station.matter.onboarding.passcode import Discriminator, Passcode
from station.web.counted import Counted
from station.web.guard import guarded
from station.web.pages import Pages
from tests.builders.bench import Secrets, begun, passed, recognised
from tests.web.fake_door import FakeDoor, running, slot

CANARY = Passcode(73914)
ODD = "slot <4>/ä"


class Read(HTMLParser):
    """A page's text and links; fails for an element that is closed wrongly."""

    VOID = frozenset({"meta", "link", "input", "rect"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.links, self._open = "", list[str](), list[str]()
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not [name for name, _ in attrs if name == "style" or name.startswith("on")]  # which the policy forbids
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@dataclass
class Desk:
    client: TestClient[web.Request, web.Application]
    ledger: Ledger
    secrets: Secrets
    door: FakeDoor
    path: Path

    async def page(self, path: str) -> Read:
        async with self.client.get(path) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.content_type == "text/html"
            return Read(await answer.text())

    async def status(self, path: str) -> int:
        async with self.client.get(path, allow_redirects=False) as answer:
            return answer.status

    async def void(self, slot: str) -> None:
        await (await begun(self.ledger, self.secrets, slot=slot)).finish(Voided("tty.lost", {}))


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "machine"))
    monkeypatch.setattr("station.web.counted.FRESH_FOR", -1.0)
    path, recipe = tmp_path / "state" / "ledger.sqlite", tmp_path / "recipe.toml"
    path.parent.mkdir()
    recipe.write_text('[within]\nconfirm = 30\n[lot]\nname = "LOT-1"\nserial_number = "SN{:06d}"\nsize = 500\n')
    async with Ledger.open(path, station="line-1") as ledger:
        app = web.Application(middlewares=[guarded])
        door = FakeDoor([running("1"), slot(ODD)])
        Pages(door, LedgerReader(path), Counted(path, recipe)).add_to(app)
        async with TestClient(TestServer(app)) as client:
            yield Desk(client, ledger, Secrets(), door, path)


async def test_an_empty_ledger_has_pages_too(desk: Desk) -> None:
    for path in ("/numbers", "/attempts", "/units", "/slots/1", "/lots", "/events"):
        assert "line-1" in (await desk.page(path)).text


async def test_whoever_has_signed_in_finds_the_way_out(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "/sign-in" not in (await desk.page("/units")).links
    monkeypatch.setattr(desk.door, "about", replace(desk.door.about, signs_in=True))
    assert "/sign-in" in (await desk.page("/units")).links


async def test_why_a_slot_fails_is_two_clicks_away(desk: Desk) -> None:
    """The numbers name the slot and the fault, each with its attempts behind it."""
    await passed(await begun(desk.ledger, desk.secrets, slot="1"), 1)
    for _ in range(3):
        await desk.void(ODD)
    numbers = await desk.page("/numbers")
    assert "100.0 % of 1 units" in numbers.text
    assert "1 passed, 0 failed, 3 void" in numbers.text
    assert "/slots/slot%20%3C4%3E/%C3%A4" in numbers.links or "/slots/slot%20%3C4%3E%2F%C3%A4" in numbers.links
    assert "/attempts?probe=066AFF&" in numbers.links
    assert (await desk.page("/attempts?probe=066AFF&")).text.count("tty.lost") == 3
    assert "tty.lost" not in (await desk.page("/attempts?probe=066A00")).text
    fault = next(link for link in numbers.links if "tty.lost" in link)
    attempts = await desk.page(fault)
    assert attempts.text.count("tty.lost") >= 3
    here = await desk.page("/slots/slot%20%3C4%3E%2F%C3%A4")
    assert f"Slot {ODD}" in here.text
    assert here.text.count("tty.lost") == 4  # each attempt, and the comparison with elsewhere
    assert "30" in numbers.text  # the recipe's limit


async def test_a_units_story_is_found_by_uid_and_by_serial_number(desk: Desk) -> None:
    """Every event of its attempts is there, and no secret."""
    await passed(await begun(desk.ledger, desk.secrets), 1)
    async with desk.client.get("/units?find=SN000001") as answer:
        assert str(answer.url).endswith("/units/SN000001")
        story = Read(await answer.text())
    assert "Confirmed" in story.text
    assert "canary" not in story.text
    assert "2020202" not in story.text
    units = await desk.page("/units")
    assert "SN000001" in units.text
    by_uid = next(link for link in units.links if re.fullmatch(r"/units/[0-9a-f]{24}", link))
    assert (await desk.page(by_uid)).text == story.text
    assert await desk.status("/units/SN000009") == 404
    assert await desk.status("/slots/9") == 404


async def test_an_attempt_leads_to_its_story_and_that_to_all_of_its_fault(desk: Desk) -> None:
    """Where the programmer's own words are, is said."""
    journal = await begun(desk.ledger, desk.secrets)
    await recognised(journal, 1)
    await journal.finish(Voided("programmer.unproven", {}))
    await desk.void("1")
    attempts = await desk.page("/attempts")
    assert "/events?attempt=2" in attempts.links  # its board is not known
    story = next(link for link in attempts.links if link.endswith("#attempt-1"))
    told = await desk.page(story)
    assert "transcripts/0000/0000001.txt" in told.text
    assert "/attempts?fault=programmer.unproven" in told.links


async def test_a_scanned_label_leads_to_its_unit(desk: Desk) -> None:
    """By its serial number, or else by its discriminator. The label's text has the passcode, so no answer repeats it."""
    await passed(await begun(desk.ledger, desk.secrets), 1)
    (unit,) = LedgerReader(desk.path).units()
    named = OnboardingPayload(0xFFF1, 0x8000, Discriminator(1), CANARY, serial_number=unit.serial_number)
    nameless = OnboardingPayload(0xFFF1, 0x8000, Discriminator(unit.discriminator), CANARY)
    for payload, found in ((named, f"/units/{unit.serial_number}"), (nameless, "/units")):
        text = qr_code(payload)
        async with desk.client.get("/units", params={"find": text}, allow_redirects=False) as answer:
            said = await answer.text() + str(answer.headers)
            assert answer.headers.get("Location", "/units") == found
        assert unit.serial_number in said
        assert text not in said
        assert str(CANARY.value) not in said
    for wrong in ("MT:", "MT:-24J0AFN00KA0648G0", "mt:"):
        async with desk.client.get("/units", params={"find": wrong}) as answer:
            assert answer.status == 400
            assert wrong not in await answer.text()


async def test_a_slot_is_compared_with_the_others(desk: Desk) -> None:
    """And its page says how it is taken out of service, and who has done so."""
    for number in (1, 2, 3):
        await passed(await begun(desk.ledger, desk.secrets, slot="1"), number, f"0{number}")
    for _ in range(2):
        await desk.void(ODD)
    page = await desk.page("/slots/slot%20%3C4%3E%2F%C3%A4")
    assert "judged03" in page.text
    assert "void20" in page.text
    assert "tty.lost0200" in page.text
    assert "whole attempt" in page.text
    assert "station slots hold 'slot <4>/ä' --reason" in page.text
    held = slot("1", "out of service", "slot.held", service="out")
    desk.door.put(held.model_copy(update={"held": HoldStatus(who="Anna", at=datetime.now(UTC), reason="bent pin")}))
    page = await desk.page("/slots/1")
    assert "by Anna since" in page.text
    assert "station slots release 1" in page.text
    assert await desk.status("/slots/1?since=2026-11-26T09:00Z") == 200


async def test_lots_and_events_are_listed(desk: Desk) -> None:
    await passed(await begun(desk.ledger, desk.secrets), 1)
    await desk.void(ODD)
    lots = await desk.page("/lots")
    assert re.search(r"LOT-1\s+\S\s+\S\s+500\s+1\s+0\s+1\s+0\s+0\s+499", lots.text)
    events = await desk.page("/events?type=Voided&slot=&attempt=")
    assert "tty.lost" in events.text
    assert "Confirmed" not in events.text
    assert await desk.status("/events?attempt=0") == 400


async def test_a_form_with_empty_fields_asks_for_everything(desk: Desk) -> None:
    """As a browser sends it; a wrong value is told."""
    await desk.void("1")
    page = await desk.page("/attempts?since=&until=&slot=1&verdict=&fault=&lot=&step=")
    assert "tty.lost" in page.text
    assert await desk.status("/attempts?verdict=good") == 400
    assert await desk.status("/numbers?since=yesterday") == 400
    assert await desk.status("/numbers?s1ot=4") == 400
    for path in ("/numbers?since=", "/numbers?until=", "/slots/1?since=", "/attempts?since="):
        for end in ("0001-01-01T00:00", "0001-01-01T00:00%2B14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59"):
            assert await desk.status(path + end) in {200, 400}, path + end


async def test_slow_questions_keep_no_thread_from_the_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new identity waits for one of the loop's own threads, which are few."""
    answered = threading.Event()

    def slow(*_: object, **__: object) -> list[object]:
        answered.wait(60.0)
        return []

    monkeypatch.setattr("station.adapters.ledger.selection.attempts", slow)
    asking = [asyncio.create_task(desk.status(f"/attempts?lot={lot}")) for lot in range(48)]
    try:
        await asyncio.sleep(0.5)
        async with asyncio.timeout(30.0):
            assert await asyncio.to_thread(lambda: "at once") == "at once"
    finally:
        answered.set()
    assert set(await asyncio.gather(*asking)) == {200}


async def test_a_browser_gets_problems_as_pages(desk: Desk) -> None:
    """Whoever has typed a wrong number sees no JSON, and finds the way back."""
    for path, status in (("/units/SN999", 404), ("/slots/none", 404), ("/numbers?since=now", 400)):
        async with desk.client.get(path, headers={"Accept": "text/html,*/*;q=0.8"}) as answer:
            assert (answer.status, answer.content_type) == (status, "text/html")
            assert "/units" in Read(await answer.text()).links
        async with desk.client.get(path) as answer:
            assert (answer.status, answer.content_type) == (status, "application/problem+json")


async def test_what_a_slot_shows_has_its_time(desk: Desk) -> None:
    """The page does not go on by itself."""
    name = next(iter(desk.door.marks()))
    assert re.search(
        r"At 20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9:]{8}", (await desk.page(f"/slots/{quote(name, safe='')}")).text
    )
