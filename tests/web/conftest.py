# SPDX-License-Identifier: Apache-2.0
"""A browser for the tests of the pages, and a tab for each test, which must not complain and asks nobody but the station."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.web import chromium
from tests.web.chromium import Browser, Tab


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with chromium.started() as address:
        yield address


@pytest.fixture
async def browser(address: str) -> AsyncIterator[Browser]:
    async with chromium.connected(address) as browser:
        yield browser


@pytest.fixture
async def tab(browser: Browser) -> AsyncIterator[Tab]:
    tab = await browser.tab()
    yield tab
    assert tab.complaints() == []
    assert {url.split("/")[2] for url in tab.asked() if not url.startswith(("data:", "about:"))} <= {
        url.split("/")[2] for url in tab.asked()[:1]
    }
