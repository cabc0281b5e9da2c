# SPDX-License-Identifier: Apache-2.0
"""axe-core finds nothing on the pages: WCAG 2.2 AA, as far as a program can see it, in both themes."""

from collections.abc import Iterator
from importlib.resources import files

import pytest

from tests.web.chromium import Tab
from tests.web.fake_door import OPEN, mixed, paused
from tests.web.played import DRAWN, LIVE, PATIENT, Played, played, shown

pytestmark = pytest.mark.line

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
FINDINGS = """axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
  .then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => [id, html, failureSummary])))"""
THEMES = ("dark", "light")
OPEN_SHEET = "document.querySelectorAll('.tile')[3].click()"
ASK_PIN = "document.querySelector('dialog .row > :nth-child(2)').click()"


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with played("--slots=16", folder=tmp_path_factory.mktemp("line")) as line:
        yield line


async def findings(tab: Tab) -> object:
    """What axe has to say of the page as it is now, drawn to its end."""
    if not await tab.value("'axe' in window"):
        await tab.value(f"{AXE}; undefined")
    drawn = "Promise.all(document.getAnimations().filter(({ effect }) => effect.target.id !== 'veil').map(({ finished }) => finished))"
    await tab.value(f"{drawn}.then(() => true)")
    await tab.value(DRAWN)
    return await tab.value(FINDINGS)


async def test_the_operators_page(tab: Tab, line: Played) -> None:
    """With all states, with a sheet and with the pad for a PIN, paused, and after the connection is lost."""
    line.tell(*mixed(16), OPEN)
    await tab.before(PATIENT)
    await shown(tab, line.url)
    for theme in THEMES:
        await tab.value(f"document.documentElement.dataset.theme = '{theme}'")
        for opens in ("undefined", OPEN_SHEET, ASK_PIN):
            await tab.value(opens)
            assert await findings(tab) == [], (theme, opens)
        await tab.value("document.querySelector('dialog .row > :first-child').click()")
    line.tell(paused("lot.exhausted"))
    await tab.until("document.body.dataset.line === 'paused'")
    for theme in THEMES:
        await tab.value(f"document.documentElement.dataset.theme = '{theme}'")
        assert await findings(tab) == [], theme
    line.tell(OPEN)
    await tab.until(LIVE)
    await tab.value(
        "Object.defineProperty(document, 'hidden', { value: true }); document.dispatchEvent(new Event('visibilitychange'))"
    )
    for theme in THEMES:
        await tab.value(f"document.documentElement.dataset.theme = '{theme}'")
        assert await findings(tab) == [], theme


@pytest.mark.parametrize("path", ["/numbers", "/attempts", "/units", "/units/SN000001", "/slots/4", "/central"])
async def test_the_engineers_pages(tab: Tab, line: Played, path: str) -> None:
    await tab.open(line.url.rstrip("/") + path)
    await tab.until(f"location.pathname === '{path}' && document.readyState === 'complete'")
    for theme in THEMES:
        await tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        assert await findings(tab) == [], theme
