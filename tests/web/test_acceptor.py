# SPDX-License-Identifier: Apache-2.0
"""However many connections other PCs open, the page takes only so many, and goes on for those who come later."""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from station.web import acceptor
from tests.web.abroad import Abroad, served
from tests.web.test_site import WITHIN


@pytest.fixture
async def abroad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Abroad]:
    monkeypatch.setattr(acceptor, "MOST_OF_ONE", 4)
    async with served(tmp_path) as abroad:
        yield abroad


@asynccontextmanager
async def connected(abroad: Abroad, *, tls: bool) -> AsyncIterator[asyncio.StreamReader]:
    host, port = abroad.url.removeprefix("https://").split(":")
    context = ssl.create_default_context(cafile=abroad.people.path.with_name("page.pem")) if tls else None
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    try:
        yield reader
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("tls", [False, True])
async def test_one_pc_gets_so_many_connections_and_no_more(abroad: Abroad, *, tls: bool) -> None:
    """Whether it speaks or says nothing at all; once it gives one back, it gets another one."""
    async with asyncio.timeout(WITHIN):
        async with connected(abroad, tls=tls), connected(abroad, tls=tls), connected(abroad, tls=tls):
            async with connected(abroad, tls=tls):
                await is_refused(abroad)
            while True:
                try:
                    async with await abroad.ask("/healthz") as answer:
                        assert answer.status == 200
                        break
                except OSError:  # the page has not yet noticed that one is given back
                    await asyncio.sleep(0.01)


async def is_refused(abroad: Abroad) -> None:
    """A further connection ends without a word."""
    async with connected(abroad, tls=False) as reader:
        with suppress(ConnectionError):
            assert await reader.read() == b""


class Starved(socket.socket):
    """A socket for whose first connection the process has no descriptor."""

    starved = 0

    def accept(self) -> tuple[socket.socket, object]:
        if not self.starved:
            self.starved += 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_without_a_descriptor_it_waits_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing ends, and whoever waits is answered."""
    monkeypatch.setattr(acceptor, "AGAIN_AFTER", 0.01)
    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    assert runner.server is not None
    with acceptor.bound("127.0.0.1", 0) as bound:
        listening = Starved(fileno=os.dup(bound.fileno()))
        listening.setblocking(False)
        accepting = asyncio.create_task(acceptor.Acceptor(runner.server, None).run(listening))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        async with asyncio.timeout(WITHIN), aiohttp.ClientSession() as browser, browser.get(url) as got:
            assert await got.text() == "here"
        accepting.cancel()
        await asyncio.wait([accepting])
        listening.close()
    assert listening.starved == 1
    await runner.cleanup()


async def answer(_request: web.Request) -> web.Response:
    return web.Response(text="here")
