# SPDX-License-Identifier: Apache-2.0
"""Follows a station's stream from another process: opens it, opens it again after each end, and tells its events."""

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol
from urllib.parse import urljoin

import aiohttp

from station.adapters.system import bounded
from station.web.event_reader import Event, EventReader

SILENT_AFTER = 3.0  # seconds without a beat
AGAIN_AFTER = (0.5, 1.0, 2.0, 4.0)
STREAM = "api/v1/stream"
_LONGEST_REFUSAL = 4096

Pause = Callable[[float], Awaitable[None]]


class Listener(Protocol):
    """Whoever is told what the stream says."""

    def hear(self, event: Event) -> None:
        """Takes the next event; raises `ValueError` if it is none of a station's."""

    def lose(self, reason: str) -> None:
        """The stream has ended, for this reason."""


class _Ended(Exception):
    """The stream is over; the message says why."""


class Follower:
    """`address` is asked before each connection, since a daemon that starts again may be found at another port."""

    def __init__(
        self,
        address: Callable[[], Awaitable[str]],
        listener: Listener,
        *,
        headers: Mapping[str, str] | None = None,
        trust: ssl.SSLContext,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._address = address
        self._listener = listener
        self._headers = dict(headers or {})
        self._trust = trust
        self._pause = pause
        self._known: str | None = None
        self._tries = 0

    async def run(self) -> None:
        """Follows until it is cancelled."""
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(timeout=timeout, headers=self._headers) as session:
            while True:
                self._listener.lose(await self._followed(session))
                await self._pause(AGAIN_AFTER[min(self._tries, len(AGAIN_AFTER) - 1)])
                self._tries += 1

    async def _followed(self, session: aiohttp.ClientSession) -> str:
        """Tells one stream's events. Returns the reason for its end."""
        try:
            await self._follow(session)
        except TimeoutError:
            return f"no beat for {SILENT_AFTER:.0f} s"
        except _Ended as exc:
            return str(exc)
        except aiohttp.ClientConnectorError as exc:
            return f"{exc.host}:{exc.port}: {os.strerror(exc.errno) if exc.errno else exc.strerror}"
        except (aiohttp.ClientError, OSError) as exc:
            return str(exc) or type(exc).__name__
        except ValueError as exc:
            self._known = None  # the whole board next time
            return f"what came is not a station's: {str(exc).splitlines()[0]}"
        return "the stream has ended"

    async def _follow(self, session: aiohttp.ClientSession) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(SILENT_AFTER) as deadline:
            url = urljoin(await self._address(), STREAM)
            asked = {} if self._known is None else {"Last-Event-ID": self._known}
            # A redirection would carry the token elsewhere.
            async with session.get(url, headers=asked, ssl=self._trust, allow_redirects=False) as answer:
                if answer.status != 200:
                    raise _Ended(f"{url} answers {answer.status}{await _detail(answer)}")
                events = EventReader()
                async for received in answer.content.iter_any():
                    for event in events.feed(received):
                        self._hear(event)
                        if event.name == "beat":
                            deadline.reschedule(loop.time() + SILENT_AFTER)

    def _hear(self, event: Event) -> None:
        self._tries = 0
        if event.name == "bye":
            raise _Ended("the station has ended")
        self._listener.hear(event)
        if event.number is not None:  # after the listener has taken it
            self._known = event.number


async def _detail(answer: aiohttp.ClientResponse) -> str:
    """What a refusal says for people, as RFC 9457 has it."""
    from pydantic import ValidationError

    from station.web.models import Problem

    try:
        return f": {Problem.model_validate_json(await bounded.beginning(answer.content, _LONGEST_REFUSAL)).detail}"
    except ValidationError:
        return f" {answer.reason or ''}".rstrip()
