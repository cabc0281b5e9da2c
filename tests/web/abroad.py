# SPDX-License-Identifier: Apache-2.0
"""A page over TLS whose readers have to sign in, as at an address that other PCs reach."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import aiohttp

from station.adapters.ledger.reader import LedgerReader
from station.adapters.system.people_file import PeopleFile
from station.domain.people import Role
from station.web import routes
from station.web.api import Api
from station.web.certificate import Certificate
from station.web.counted import Counted
from station.web.pins import PINs
from station.web.reading import COOKIE, Reading
from station.web.site import Site
from tests.builders.page_certificate import written
from tests.builders.people import people_file
from tests.web.fake_door import FakeDoor, running, slot
from tests.web.test_api import Acts
from tests.web.test_site import WITHIN, address

PIN, CANARY = "739154", "860427"  # the second is nobody's
HOURS = 8.0
FORM = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Abroad:
    """The page as another PC sees it."""

    url: str
    site: Site
    reading: Reading
    people: PeopleFile
    acts: Acts
    clock: Clock
    browser: aiohttp.ClientSession
    door: FakeDoor

    async def ask(
        self, path: str, method: str = "GET", cookie: str | None = None, **headers: str
    ) -> aiohttp.ClientResponse:
        if cookie is not None:
            headers["Cookie"] = f"{COOKIE}={cookie}"
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        return await self.browser.request(method, self.url + path, headers=sent, allow_redirects=False)

    async def send(
        self, path: str, form: Mapping[str, str], headers: Mapping[str, str] = FORM, cookie: str | None = None
    ) -> aiohttp.ClientResponse:
        sent = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        if cookie is not None:
            sent["Cookie"] = f"{COOKIE}={cookie}"
        return await self.browser.post(self.url + path, data=urlencode(form), headers=sent, allow_redirects=False)

    async def sign_in(self, pin: str = PIN, cookie: str | None = None) -> str:
        async with await self.send("/sign-in", {"pin": pin}, cookie=cookie) as answer:
            assert answer.status == 303, await answer.text()
            return cookie_of(answer).value


def cookie_of(answer: aiohttp.ClientResponse) -> "Morsel[str]":
    """The cookie that the answer sets, which is the only one."""
    [line] = answer.headers.getall("Set-Cookie")
    return SimpleCookie(line)[COOKIE]


@asynccontextmanager
async def served(tmp_path: Path, *, hsts_days: int = 0, days: int = 90) -> AsyncIterator[Abroad]:
    certificate, key = written(tmp_path, days=days)
    people = people_file(tmp_path / "people.json", ("Anna", Role.ENGINEER, PIN))
    acts, clock = Acts(), Clock()
    pins = PINs(people, clock)
    reading = Reading(pins, HOURS)
    door = FakeDoor([slot("1"), running("2")])
    site = Site(
        door,
        "127.0.0.1:0",
        ["line1.example"],
        certificate=lambda: Certificate(certificate, key),
        reading=reading,
        hsts_days=hsts_days,
    )
    none = tmp_path / "none"
    counted = Counted(none, tmp_path / "recipe.toml")
    site.further.append(routes.of(Api(door, lambda: site.hub, LedgerReader(none), pins, acts, counted)))
    serving = asyncio.create_task(site.run())
    tls = ssl.create_default_context(cafile=certificate)
    connector, jar = aiohttp.TCPConnector(ssl=tls), aiohttp.DummyCookieJar()
    timeout = aiohttp.ClientTimeout(total=WITHIN)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, timeout=timeout) as browser:
        url = await address(site)
        assert url.startswith("https://")
        yield Abroad(url, site, reading, people, acts, clock, browser, door)
    serving.cancel()
    await asyncio.wait([serving])
