# SPDX-License-Identifier: Apache-2.0
"""One POST to the MES, bounded in time and size; no redirect is followed."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import aiohttp

from station.adapters.outbox.tls_files import TLS
from station.adapters.system import bounded

LONGEST_ANSWER = 1 << 16


class NoAnswer(Exception):
    """The MES has not answered; the text says why."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whatever its status."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def told(self) -> str:
        """The status and what follows it, for people."""
        text = self.body[:200].decode("utf-8", "replace").strip()
        return f"HTTP {self.status} {self.reason}".strip() + (f": {text}" if text else "")


class Post:
    """Posts to the servers of one MES."""

    def __init__(self, session: aiohttp.ClientSession, tls: TLS) -> None:
        self._session = session
        self._tls = tls

    @classmethod
    @asynccontextmanager
    async def opened(cls, tls: TLS) -> AsyncIterator[Self]:
        """A pool of connections, without cookies, and without a proxy from the environment.

        A connection is used again only under the TLS context that it was opened with.
        """
        connector = aiohttp.TCPConnector(limit=8, keepalive_timeout=4)
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, trust_env=False) as session:
            yield cls(session, tls)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], within: float) -> Reply:
        """Raises `NoAnswer`."""
        return await self._asked("POST", url, body, headers, within)

    async def head(self, url: str, within: float) -> Reply:
        """Asks for no more than the status, which changes nothing at the server; raises `NoAnswer`."""
        return await self._asked("HEAD", url, None, {}, within)

    async def _asked(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], within: float
    ) -> Reply:
        whole = aiohttp.ClientTimeout(total=None)
        try:
            async with (
                asyncio.timeout(within),
                self._session.request(
                    method, url, data=body, headers=headers, allow_redirects=False, timeout=whole, ssl=self._tls()
                ) as answer,
            ):
                content = await bounded.beginning(answer.content, LONGEST_ANSWER)
                return Reply(answer.status, answer.reason or "", answer.headers, content)
        except TimeoutError as exc:
            raise NoAnswer(f"no answer within {within:g} s") from exc
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            raise NoAnswer(str(exc) or type(exc).__name__) from exc
