# SPDX-License-Identifier: Apache-2.0
"""However many connections other PCs open, the page takes only so many, and goes on for those who come later."""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from station.web import acceptor
from station.web.site import Site
from tests.web.abroad import Abroad, served
from tests.web.fake_door import FakeDoor, slot
from tests.web.test_site import WITHIN, address
from tests.web.test_site import served as page


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


async def test_programs_of_this_pc_get_so_many_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that loses its connections costs the line none of its descriptors."""
    monkeypatch.setattr(acceptor, "MOST_OF_ONE", 1)
    monkeypatch.setattr(acceptor, "MOST", 4)
    async with page(FakeDoor([slot("1")])) as (_, url), AsyncExitStack() as stack:
        port = int(url.rpartition(":")[2])
        for _ in range(4):
            slow = stack.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
            slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        stack.callback(writer.transport.abort)
        async with asyncio.timeout(WITHIN):
            with suppress(ConnectionError):
                assert await reader.read() == b""


async def test_whoever_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would hold its connection, and all that waits for it, for ever."""
    monkeypatch.setattr(acceptor, "DEAF_FOR", 0.3)
    cut = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(bytes(1 << 20))
        except ConnectionError:
            cut.set()
        return response

    site = Site(FakeDoor([slot("1")]), "127.0.0.1:0")

    def add_endless(app: web.Application) -> None:
        app.router.add_get("/endless", endless)

    site.further.append(add_endless)
    serving = asyncio.create_task(site.run())
    _, port = (await address(site)).rsplit(":", 1)
    with closing(socket.create_connection(("127.0.0.1", int(port)))) as deaf:
        deaf.sendall(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(WITHIN):
            await cut.wait()
    serving.cancel()
    await asyncio.wait([serving])


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
