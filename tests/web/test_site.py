# SPDX-License-Identifier: Apache-2.0
"""The HTTP server: its answers, whom it refuses, and how it comes up and goes down."""

import asyncio
import json
import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, closing, suppress

import aiohttp
import pytest
import structlog
from aiohttp import web

from station.web import hub as hubs
from station.web import site as sites
from station.web import taking
from station.web.hub import LISTENERS, Hub
from station.web.site import Site
from tests.web.fake_door import FakeDoor, paused, running, slot

WITHIN = 60.0


@asynccontextmanager
async def served(door: FakeDoor, listen: str = "127.0.0.1:0") -> AsyncIterator[tuple[Site, str]]:
    site = Site(door, listen)
    serving = asyncio.create_task(site.run())
    try:
        yield site, await address(site)
    finally:
        serving.cancel()
        await asyncio.wait([serving])


async def address(site: Site) -> str:
    async with asyncio.timeout(WITHIN):
        while site.url is None:
            await asyncio.sleep(0.01)
    return site.url.rstrip("/")


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WITHIN)) as session:
        yield session


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor([slot("1"), running("2")], language="de")


async def test_the_page_and_all_that_it_names_come_from_the_station(
    door: FakeDoor, browser: aiohttp.ClientSession
) -> None:
    async with served(door) as (_, url):
        async with browser.get(url) as answer:
            page = await answer.text()
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert '<html lang="de">' in page
        assert "{{" not in page
        named = set(re.findall(r'(?:href|src)="(/[^"]+)"', page)) | {
            f"/assets/strings/{each}.json" for each in ("en", "de", "zh")
        }
        assert "http" not in re.sub(r"http-equiv|http://www.w3.org", "", page)
        for path in named:
            async with browser.get(url + path) as answer:
                assert answer.status == 200, path
                etag = answer.headers["ETag"]
            async with browser.get(url + path, headers={"If-None-Match": etag}) as answer:
                assert answer.status == 304


async def test_the_stream_tells_the_board_and_what_changes(door: FakeDoor, browser: aiohttp.ClientSession) -> None:
    async with served(door) as (_, url), browser.get(f"{url}/api/v1/stream") as answer:
        assert answer.content_type == "text/event-stream"
        head = await answer.content.readuntil(b"\n\n")
        snapshot = json.loads(head.split(b"data: ", 1)[1])
        assert {each["slot"]: each["state"] for each in snapshot["slots"]} == {"1": "empty", "2": "running"}
        assert await answer.content.readuntil(b"\n\n") == b"event: beat\ndata: {}\n\n"
        door.put(slot("2", "pass", attempt=40))
        while b"event: slot" not in (frame := await answer.content.readuntil(b"\n\n")):
            pass
        assert json.loads(frame.split(b"data: ", 1)[1])["state"] == "pass"


async def test_a_stream_that_was_cut_goes_on_where_it_ended(door: FakeDoor, browser: aiohttp.ClientSession) -> None:
    async with served(door) as (_, url):
        async with browser.get(f"{url}/api/v1/stream") as answer:
            known = (await answer.content.readuntil(b"\n\n")).split(b"\n", 1)[0].removeprefix(b"id: ").decode()
        door.put(slot("2", "fail", "flash.mismatch", attempt=40))
        for query, headers in ((f"?after={known}", {}), ("", {"Last-Event-ID": known})):
            async with browser.get(f"{url}/api/v1/stream{query}", headers=headers) as answer:
                head = await answer.content.readuntil(b"event: beat\ndata: {}\n\n")
            assert b"event: slot" in head
            assert b"flash.mismatch" in head
            assert b"snapshot" not in head


async def test_a_listener_that_does_not_read_loses_its_connection(door: FakeDoor) -> None:
    """However much happens, it takes no more memory than its queue and the kernel's buffers."""
    async with served(door) as (site, url):
        host, port = url.removeprefix("http://").split(":")
        with closing(socket.create_connection((host, int(port)))) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(f"GET /api/v1/stream HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            async with asyncio.timeout(WITHIN):
                while not site.hub.listeners:
                    await asyncio.sleep(0.01)
                big = slot("2", "fail", "board.silent").model_copy(update={"reason": "x" * 20_000})
                while site.hub.listeners:
                    door.put(big)
                    site.hub.look()
                    await asyncio.sleep(0)


@pytest.mark.slow
async def test_a_listener_that_reads_too_slowly_loses_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads on and on, beats among all else, and would take what is long over for what is now."""
    monkeypatch.setattr(taking, "LATE_AFTER", 0.5)
    monkeypatch.setattr(hubs, "QUEUE", 1 << 30)
    door = FakeDoor([slot(str(at)) for at in range(64)])
    async with served(door) as (site, url):
        with closing(socket.socket()) as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", int(url.rpartition(":")[2])))
            slow.setblocking(False)
            slow.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(WITHIN):
                with suppress(ConnectionError):
                    while await loop.sock_recv(slow, 512):
                        for at in range(64):
                            door.put(slot(str(at), "waiting"))
                        await asyncio.sleep(0.05)
                while site.hub.listeners:
                    await asyncio.sleep(0.01)


async def test_no_more_pages_than_it_can_serve(door: FakeDoor, browser: aiohttp.ClientSession) -> None:
    async with served(door) as (site, url):
        with ExitStack() as stack:
            for _ in range(LISTENERS):
                stack.enter_context(site.hub.listening(None, lambda: None))
            async with browser.get(f"{url}/api/v1/stream") as answer:
                assert answer.status == 503
                assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:8470"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Host": "localhost:8470"}, 200),
        ({"Host": "[::1]:8470"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200),
    ],
)
async def test_foreign_names_and_foreign_pages_are_refused(
    door: FakeDoor, browser: aiohttp.ClientSession, headers: dict[str, str], status: int
) -> None:
    async with served(door) as (_, url), browser.get(f"{url}/healthz", headers=headers) as answer:
        assert answer.status == status


@pytest.mark.parametrize(
    "path", ["/none", "/assets/../site.py", "/assets/page.html", "/assets/strings/fr.json", "/assets/%2e%2e/site.py"]
)
async def test_an_unknown_page_is_a_problem(door: FakeDoor, browser: aiohttp.ClientSession, path: str) -> None:
    async with served(door) as (_, url), browser.get(url + path) as answer:
        assert answer.status == 404
        assert (await answer.json(content_type="application/problem+json"))["status"] == 404


async def test_a_page_takes_no_orders(door: FakeDoor, browser: aiohttp.ClientSession) -> None:
    async with served(door) as (_, url), browser.post(url, json={}) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET,HEAD"


async def test_a_stream_has_no_head_alone(door: FakeDoor, browser: aiohttp.ClientSession) -> None:
    """It would go on for ever, as one of the few listeners."""
    async with served(door) as (site, url), browser.head(f"{url}/api/v1/stream") as answer:
        assert answer.status == 405
        assert site.hub.listeners == 0


async def test_healthz_and_readyz(door: FakeDoor, browser: aiohttp.ClientSession) -> None:
    async with served(door) as (_, url):
        async with browser.get(f"{url}/healthz") as answer:
            assert await answer.json() == {"ok": True, "checks": {"loop": "ok"}}
        async with browser.get(f"{url}/readyz") as answer:
            assert (answer.status, (await answer.json())["ok"]) == (200, True)
        door.state = paused("pki.unavailable")
        async with browser.get(f"{url}/readyz") as answer:
            assert (answer.status, (await answer.json())["checks"]["line"]) == (503, "pki.unavailable")


async def test_a_taken_address_costs_the_page_until_it_is_free(door: FakeDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line works on; the page comes up once the other program has ended."""
    monkeypatch.setattr(sites, "AGAIN_AFTER", 0.05)
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        site = Site(door, f"127.0.0.1:{port}")
        serving = asyncio.create_task(site.run())
        async with asyncio.timeout(WITHIN):
            while (reason := site.reason) is None:
                await asyncio.sleep(0.01)
        assert "address already in use" in reason.lower()
    assert await address(site) == f"http://127.0.0.1:{port}"
    serving.cancel()
    await asyncio.wait([serving])


async def test_a_bug_of_ours_costs_the_page_and_not_the_line(door: FakeDoor, browser: aiohttp.ClientSession) -> None:
    """Its streams end, so that no page shows what nobody looks after, and it comes up again."""
    faulty = FakeDoor([slot("1")])
    async with served(faulty) as (site, url), browser.get(f"{url}/api/v1/stream") as answer:
        await answer.content.readuntil(b"event: beat\ndata: {}\n\n")
        faulty.broken = True
        assert (await answer.content.read()).endswith(b"event: bye\ndata: {}\n\n")
        async with asyncio.timeout(WITHIN):
            while site.url is not None:
                await asyncio.sleep(0.01)


async def test_a_bug_of_ours_costs_one_answer(door: FakeDoor, browser: aiohttp.ClientSession) -> None:
    """It is told as any other problem, with the headers that every answer has, and without a word of what went wrong."""

    async def buggy(_request: web.Request) -> web.StreamResponse:
        raise ZeroDivisionError("a bug, for once on purpose")

    def add(app: web.Application) -> None:
        app.router.add_get("/buggy/{secret}", buggy)

    site = Site(door, "127.0.0.1:0")
    site.further.append(add)
    serving = asyncio.create_task(site.run())
    with structlog.testing.capture_logs() as logs:
        async with browser.get(f"{await address(site)}/buggy/34970112332") as answer:
            assert answer.status == 500
            assert "purpose" not in json.dumps(await answer.json(content_type="application/problem+json"))
            assert answer.headers["Content-Security-Policy"]
        async with browser.get(f"{await address(site)}/healthz") as answer:
            assert answer.status == 200
    [told] = [each for each in logs if each["event"] == "web.request_failed"]
    assert (told["method"], told["route"]) == ("GET", "/buggy/{secret}")
    serving.cancel()
    await asyncio.wait([serving])


async def test_whoever_goes_before_the_answer_is_no_bug(door: FakeDoor) -> None:
    """A hundred streams, opened and dropped at once: the log tells of none, and none stays open."""
    async with served(door) as (site, url):
        with structlog.testing.capture_logs() as logs:
            for _ in range(100):
                with closing(socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))) as gone:
                    gone.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
                await asyncio.sleep(0)
            await asyncio.sleep(0.2)
            async with asyncio.timeout(WITHIN):
                while site.hub.listeners:
                    await asyncio.sleep(0.01)
        assert [each for each in logs if each["event"] == "web.request_failed"] == []


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer canary" + bytes(9000).replace(b"\0", b"a"),
        b"GET /units?find=canary HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"canary\r\n\r\n",
    ],
)
async def test_nonsense_is_refused_and_stands_in_no_log(
    door: FakeDoor, caplog: pytest.LogCaptureFixture, nonsense: bytes
) -> None:
    async with served(door) as (_, url):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(nonsense)
        async with asyncio.timeout(WITHIN):
            assert (await reader.read(12)).endswith(b" 400")
        writer.transport.abort()
    assert caplog.records == []


async def test_a_stream_knows_no_other_key(door: FakeDoor, browser: aiohttp.ClientSession) -> None:
    async with served(door) as (_, url), browser.get(f"{url}/api/v1/stream?afer=b-1") as answer:
        assert answer.status == 400
        assert (await answer.json(content_type="application/problem+json"))["detail"].startswith("afer is not known")


async def test_at_the_end_the_streams_say_goodbye(door: FakeDoor, browser: aiohttp.ClientSession) -> None:
    site = Site(door, "127.0.0.1:0")
    serving = asyncio.create_task(site.run())
    async with browser.get(f"{await address(site)}/api/v1/stream") as answer:
        await answer.content.readuntil(b"event: beat\ndata: {}\n\n")
        serving.cancel()
        await asyncio.wait([serving])
        assert (await answer.content.read()).endswith(b"event: bye\ndata: {}\n\n")
    assert site.url is None


def test_the_first_board_belongs_to_the_page(door: FakeDoor) -> None:
    """A page of another version than the daemon's loads itself anew."""
    site = Site(door, "127.0.0.1:0")
    assert re.fullmatch(r"[0-9a-f]{12}", site.hub.board().version)
    assert site.hub.board().version != Hub(door, "v1").board().version
