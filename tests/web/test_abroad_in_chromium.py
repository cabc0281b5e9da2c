# SPDX-License-Identifier: Apache-2.0
"""The operator's page on another PC, in a real browser: somebody signs in, and nothing is green once nobody is."""

import json
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from station.adapters.system.people_file import PeopleFile
from station.domain.people import Role
from tests.builders.page_certificate import written
from tests.web import chromium
from tests.web.abroad import CANARY, PIN
from tests.web.chromium import Browser, Tab
from tests.web.played import ALL_UNKNOWN, DRAWN, LIVE, LOST, SHOTS, Played, green, played

pytestmark = pytest.mark.line

ASKED = "document.getElementById('pin') !== null"
ALERT = "document.querySelector('[role=alert]')"
SMALLEST = (
    "Math.min(...[...document.querySelectorAll('button, input:not([type=hidden])')].map((each) => each.offsetHeight))"
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with chromium.started() as address:
        yield address


@pytest.fixture
async def browser(address: str) -> AsyncIterator[Browser]:
    async with chromium.connected(address) as browser:
        yield browser


@pytest.fixture
async def tab(browser: Browser) -> Tab:
    tab = await browser.tab()
    await tab.call("Security.setIgnoreCertificateErrors", ignore=True)  # each page is its own authority
    return tab


@pytest.fixture
def people(tmp_path: Path) -> PeopleFile:
    people = PeopleFile(tmp_path / "people.json")
    people.add("Anna", Role.READER, PIN)
    return people


@pytest.fixture
def line(tmp_path: Path, people: PeopleFile) -> Iterator[Played]:
    written(tmp_path)
    with played("--slots=8", f"--abroad={people.path.parent}") as line:
        yield line


async def typed(tab: Tab, pin: str) -> None:
    await tab.until(ASKED)
    await tab.value("window.here = true")
    await tab.value(f"document.getElementById('pin').value = {json.dumps(pin)}")
    await tab.value("document.querySelector('form button').click()")
    await tab.until("window.here !== true && document.readyState === 'complete'")


async def test_somebody_signs_in_and_sees_the_line_until_the_session_ends(
    tab: Tab, line: Played, people: PeopleFile
) -> None:
    """Whoever is removed loses all colours, and comes back to where the PIN is asked for."""
    await tab.open(f"{line.url}?lang=de")
    await tab.until(ASKED)
    await tab.until("document.activeElement?.id === 'pin'")  # the field gets it with the first picture
    for theme in ("light", "dark"):
        await tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        for language in ("en", "de", "zh"):
            await tab.value(f"document.querySelector('nav [lang={language}]').click()")
            await tab.until(f"document.documentElement?.lang === '{language}' && {ASKED}")
            await tab.value(DRAWN)
            assert await tab.value(SMALLEST) == 71
            assert await green(tab) == 0
            await tab.save(SHOTS / f"sign-in-{language}-{theme}.png")
    await typed(tab, CANARY)
    assert await tab.value(f"{ALERT}.textContent") == "没有人使用此 PIN。"
    await tab.save(SHOTS / "sign-in-wrong.png")
    while await tab.value(ASKED):  # the delay after a wrong PIN
        await typed(tab, PIN)
    await tab.until(f"{LIVE} && document.querySelector('.tile') !== null")
    assert await tab.value("location.search") == "?lang=de"
    await tab.value(DRAWN)
    assert await green(tab) > 0.05
    assert await tab.value("document.cookie") == ""
    people.remove("Anna")
    await tab.until(ASKED)
    await tab.value(DRAWN)
    assert await green(tab) == 0
    assert await tab.value("document.documentElement.lang") == "de"


async def test_over_tls_too_a_station_that_ends_takes_every_colour_with_it(
    tab: Tab, line: Played, people: PeopleFile
) -> None:
    """A restarted one has forgotten who signed in, and asks again."""
    await tab.open(line.url)
    await typed(tab, PIN)
    await tab.until(f"{LIVE} && document.querySelector('.tile') !== null")
    line.process.send_signal(signal.SIGSTOP)
    await tab.until(f"{LOST} && {ALL_UNKNOWN}")
    assert await green(tab) == 0
    line.process.send_signal(signal.SIGCONT)
    await tab.until(LIVE)
    line.end(signal.SIGKILL)
    await tab.until(f"{LOST} && {ALL_UNKNOWN}")
    await tab.value(DRAWN)
    assert await green(tab) == 0
    line.start()
    await tab.until(ASKED)
    assert people.since()
