# SPDX-License-Identifier: Apache-2.0
"""The engineer's pages in a real browser: nothing overflows, and the events go on by themselves unless somebody holds them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.adapters.ledger.reader import LedgerReader
from station.adapters.system.people_file import PeopleFile
from station.domain.attempt import Voided
from station.web import routes
from station.web.api import Api
from station.web.central import Central
from station.web.counted import Counted
from station.web.pages import Pages
from station.web.pins import PINs
from station.web.site import Site
from tests.builders.bench import Secrets, begun, passed
from tests.web import chromium
from tests.web.chromium import Tab, connected
from tests.web.fake_door import FakeDoor, mixed
from tests.web.shared_view import view
from tests.web.test_api import Acts
from tests.web.test_site import address

pytestmark = pytest.mark.line

SHOTS = Path(__file__).parents[2] / "build" / "screenshots"
PAGES = {
    "numbers": "/numbers",
    "attempts": "/attempts",
    "units": "/units",
    "unit": "/units/SN000001",
    "slot": "/slots/4",
    "lots": "/lots",
    "events": "/events",
    "central": "/central",
}
ROWS = "document.querySelector('tbody').rows.length"
STATE = "document.getElementById('state').textContent"


@dataclass
class Desk:
    url: str
    ledger: Ledger

    async def void(self) -> None:
        await (await begun(self.ledger, Secrets(), slot="<4>")).finish(Voided("tty.lost", {"path": "<b>&amp;"}))


@pytest.fixture(scope="module")
def browser() -> Iterator[str]:
    with chromium.started() as started:
        yield started


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "machine"))
    path, recipe = tmp_path / "state" / "ledger.sqlite", tmp_path / "recipe.toml"
    path.parent.mkdir()
    recipe.write_text('[within]\nconfirm = 1\n[lot]\nname = "LOT-1"\nserial_number = "SN{:06d}"\nsize = 500\n')
    async with Ledger.open(path, station="line-1") as ledger:
        secrets = Secrets()
        for board in (1, 2, 3):
            await passed(await begun(ledger, secrets, slot="4"), board, f"0{board}")
        door, reader, counted = FakeDoor(mixed(16)), LedgerReader(path), Counted(path, recipe)
        site = Site(door, "127.0.0.1:0")
        api = Api(door, lambda: site.hub, reader, PINs(PeopleFile(tmp_path / "people.json")), Acts(), counted)
        site.further = [routes.of(api), Pages(door, reader, counted, Central(lambda: view(24))).add_to]
        serving = asyncio.create_task(site.run())
        try:
            found = Desk(await address(site), ledger)
            await found.void()
            yield found
        finally:
            serving.cancel()
            await asyncio.wait([serving])


async def opened(tab: Tab, url: str) -> None:
    await tab.open(url)
    await tab.until(f"document.readyState === 'complete' && location.href === '{url}'")


async def test_no_page_overflows_in_either_theme(browser: str, desk: Desk) -> None:
    """A page without a word is ugly, too: each has its heading. With scripts off all is as it was."""
    async with connected(browser) as connection:
        tab = await connection.tab()
        await tab.size(1280, 800)
        for scripts in (True, False):
            for theme in ("light", "dark"):
                await tab.call("Emulation.setScriptExecutionDisabled", value=not scripts)
                await tab.call(
                    "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}]
                )
                for name, path in PAGES.items():
                    await opened(tab, desk.url + path)
                    assert await tab.value("document.documentElement.scrollWidth <= innerWidth"), (name, theme)
                    assert await tab.value("document.querySelector('h1').textContent.length"), name
                    assert await tab.value(ROWS), name
                    if scripts:
                        await tab.save(SHOTS / f"engineer-{name}-{theme}.png")
        assert tab.complaints() == []


async def test_the_stations_fit_a_phone_and_a_wall_screen(browser: str, desk: Desk) -> None:
    """Every figure of a station is in sight on both, without a bar to scroll it by."""
    whole = "document.querySelector('.stations').scrollWidth <= document.querySelector('.wide').clientWidth"
    async with connected(browser) as connection:
        tab = await connection.tab()
        for name, (width, height) in {"phone": (390, 844), "wall": (1920, 1080)}.items():
            await tab.size(width, height)
            await opened(tab, f"{desk.url}/central")
            assert await tab.value("document.documentElement.scrollWidth <= innerWidth"), name
            assert await tab.value(whole), name
            await tab.save(SHOTS / f"central-{name}.png")
        assert tab.complaints() == []


async def test_a_printed_page_has_neither_forms_nor_links(browser: str, desk: Desk) -> None:
    hidden = "['header', 'form'].map((name) => getComputedStyle(document.querySelector(name)).display)"
    async with connected(browser) as connection:
        tab = await connection.tab()
        await opened(tab, f"{desk.url}/numbers")
        assert "none" not in str(await tab.value(hidden))
        await tab.call("Emulation.setEmulatedMedia", media="print")
        assert await tab.value(hidden) == ["none", "none"]


async def test_events_go_on_by_themselves_unless_they_are_held(browser: str, desk: Desk) -> None:
    """A row is the same, whether page or script has made it, and text of the ledger is never markup."""
    async with connected(browser) as connection:
        tab = await connection.tab()
        await opened(tab, f"{desk.url}/events?type=Voided")
        await tab.until(f"{STATE} === 'live'")
        assert await tab.value(ROWS) == 1
        await desk.void()
        await tab.until(f"{ROWS} === 2")
        cells = "[...document.querySelector('tbody').rows].map((row) => [...row.cells].slice(2).map((cell) => cell.innerHTML))"
        rows = await tab.value(cells)
        assert isinstance(rows, list)
        new, old = rows
        assert [text.replace("attempt=5", "attempt=4").replace(">5<", ">4<") for text in new] == old
        await tab.value("document.getElementById('hold').click()")
        await desk.void()
        await tab.until(f"{STATE} === 'held, 1 more'")
        assert await tab.value(ROWS) == 2
        await tab.value("document.getElementById('hold').click()")
        await tab.until(f"{ROWS} === 3 && {STATE} === 'live'")
        assert tab.complaints() == []


async def test_events_of_a_station_that_stands_still_are_not_live(browser: str, desk: Desk) -> None:
    """Its connection stays open, and no answer comes; the page asks again until one does."""
    never = """const real = window.fetch; window.fetch = (path, asked = {}) => window.still
      ? new Promise((_, refuse) => asked.signal?.addEventListener('abort', () => refuse(asked.signal.reason))) : real(path, asked);"""
    async with connected(browser) as connection:
        tab = await connection.tab()
        await tab.before(never)
        await opened(tab, f"{desk.url}/events")
        await tab.until(f"{STATE} === 'live'")
        await tab.value("window.still = true")
        await tab.until(f"{STATE} === 'not connected'")
        await tab.value("window.still = false")
        await tab.until(f"{STATE} === 'live'")
