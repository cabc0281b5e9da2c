# SPDX-License-Identifier: Apache-2.0
"""A stream is followed from another process: opened again after each end, without gap or double, and believed only with beats."""

import asyncio
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest
from aiohttp import web
from rich.console import Console

from station.cli.watch.display import Display
from station.web.event_reader import Event
from station.web.follower import AGAIN_AFTER, Follower
from tests.builders.watched import BEAT, PEN, Clock, colours, snapshot
from tests.web.fake_door import FakeDoor, mixed, slot
from tests.web.test_site import served

WITHIN = 60.0
BETWEEN = 0.05  # seconds from one piece to the next: enough for the first to be read alone
ROOT = Path(__file__).parents[2]


class Heard:
    """A listener that remembers everything."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.reasons: list[str] = []
        self._news = asyncio.Event()

    def hear(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()

    def lose(self, reason: str) -> None:
        self.reasons.append(reason)
        self._news.set()

    async def until(self, enough: int, *, lost: bool = False) -> None:
        """Waits for so many events, or ends."""
        async with asyncio.timeout(WITHIN):
            while len(self.reasons if lost else self.events) < enough:
                self._news.clear()
                await self._news.wait()

    async def until_beat(self) -> None:
        """Waits for a beat from now on."""
        known = len(self.events)
        async with asyncio.timeout(WITHIN):
            while BEAT not in self.events[known:]:
                self._news.clear()
                await self._news.wait()

    @property
    def numbers(self) -> list[int]:
        return [int(event.number.split("-")[1]) for event in self.events if event.number and event.name != "snapshot"]

    def names(self) -> list[str]:
        return [event.name for event in self.events]


class Pauses:
    """Takes no time, and remembers how long it should have taken."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def following(
    listener: Heard | Display, *urls: str, headers: dict[str, str] | None = None
) -> AsyncIterator[Pauses]:
    """Follows the first address, after its end the next, and then the last one for ever."""
    left, pauses = list(urls), Pauses()

    async def address() -> str:
        return left.pop(0) if len(left) > 1 else left[0]

    task = asyncio.create_task(
        Follower(address, listener, headers=headers, trust=ssl.create_default_context(), pause=pauses).run()
    )
    try:
        yield pauses
    finally:
        task.cancel()
        await asyncio.wait([task])


class Cable:
    """Passes bytes between a follower and a site, and can be cut after some of them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()
        self.left = 1 << 60

    async def plug(self, here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        there, forth = await asyncio.open_connection("127.0.0.1", self._port)
        self._open |= {back, forth}
        forth.write(await here.readuntil(b"\r\n\r\n"))
        try:
            while (passed := await there.read(1 << 16)) and self.left > 0:
                back.write(passed[: self.left])
                self.left -= len(passed)
                await back.drain()
        except ConnectionError:
            pass
        finally:
            for each in (back, forth):
                each.close()


@asynccontextmanager
async def cabled(url: str) -> AsyncIterator[tuple[Cable, str]]:
    cable = Cable(int(url.rsplit(":", 1)[1]))
    server = await asyncio.start_server(cable.plug, "127.0.0.1", 0)
    async with server:
        yield cable, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def test_cut_streams_go_on_without_gap_or_double() -> None:
    """The stream is cut after any number of bytes, also within an event."""
    door, chance, heard = FakeDoor([slot("1"), slot("2")]), random.Random(7), Heard()
    async with served(door) as (site, url), cabled(url) as (cable, cut), following(heard, cut) as _:
        await heard.until_beat()
        for attempt in range(40):
            cable.left = chance.randrange(2000)
            cuts = len(heard.reasons)
            while len(heard.reasons) == cuts:
                door.put(slot(chance.choice("12"), chance.choice(["pass", "empty", "waiting"]), attempt=attempt))
                site.hub.look()
                await asyncio.sleep(0.001)
            cable.left = 1 << 60
        await heard.until_beat()
        door.put(slot("1", "fail", "flash.mismatch", attempt=99))
        site.hub.look()
        while "last" not in heard.names():
            await heard.until(len(heard.events) + 1)
    assert heard.names().count("snapshot") == 1
    assert heard.numbers == list(range(heard.numbers[0], heard.numbers[0] + len(heard.numbers)))
    states = {event.data for event in heard.events if event.name == "slot"}
    assert door.slot("1").model_dump_json() in states


async def test_another_boot_gives_the_whole_board() -> None:
    heard, door = Heard(), FakeDoor([slot("1")])
    async with (
        served(door) as (_, first),
        served(door) as (_, second),
        cabled(first) as (cable, cut),
        following(heard, cut, second),
    ):
        await heard.until_beat()
        cable.left = 0
        await heard.until(1, lost=True)
        await heard.until_beat()
    assert heard.names().count("snapshot") == 2


async def test_pauses_grow_until_somebody_answers() -> None:
    """Nobody listens there at first."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        heard = Heard()
        async with served(FakeDoor([slot("1")])) as (_, url), cabled(url) as (cable, there):
            async with following(heard, *[nobody] * 6, there, there) as pauses:
                await heard.until(6, lost=True)
                assert pauses.seconds[:6] == [*AGAIN_AFTER, 4.0, 4.0]
                await heard.until_beat()
                cable.left = 0
                await heard.until(7, lost=True)
            assert pauses.seconds[6:7] == [0.5]
        assert set(heard.reasons[:6]) == {f"127.0.0.1:{taken.getsockname()[1]}: Connection refused"}


async def test_goodbye_ends_the_stream() -> None:
    heard = Heard()
    async with served(FakeDoor([slot("1")])) as (site, url), following(heard, url):
        await heard.until_beat()
        site.hub.close()
        await heard.until(1, lost=True)
    assert heard.reasons[0] == "the station has ended"


@asynccontextmanager
async def answering(answer: web.Response) -> AsyncIterator[tuple[str, list[web.BaseRequest]]]:
    """A server that is no station."""
    asked: list[web.BaseRequest] = []

    async def respond(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request)
        return web.Response(status=answer.status, text=answer.text, headers=answer.headers)

    runner = web.ServerRunner(web.Server(respond))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/", asked
    finally:
        await runner.cleanup()


async def test_a_refusal_that_comes_in_pieces_is_told_whole() -> None:
    body = b'{"title": "Unauthorized", "status": 401, "detail": "a token is wanted"}'

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:20])
            await writer.drain()
            await asyncio.sleep(BETWEEN)
            writer.write(body[20:])

    heard = Heard()
    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server, following(heard, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"):
        await heard.until(1, lost=True)
    assert heard.reasons[0].endswith("answers 401: a token is wanted")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (web.Response(status=404, text="nothing"), "answers 404 Not Found"),
        (
            web.Response(status=401, text='{"title": "Unauthorized", "status": 401, "detail": "a token is wanted"}'),
            "answers 401: a token is wanted",
        ),
        (web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), "answers 302 Found"),
        (
            web.Response(text="data: {}\n\n"),
            "the stream has ended",
        ),
        (web.Response(text="x" * 5_000_000), "what came is not a station's: an event without an end"),
    ],
    ids=["unknown", "refused", "redirected", "ended", "endless"],
)
async def test_what_is_no_stream_is_told_and_tried_again(answer: web.Response, reason: str) -> None:
    heard = Heard()
    async with answering(answer) as (url, asked), following(heard, url, headers={"Authorization": "Bearer t"}):
        await heard.until(2, lost=True)
    assert heard.reasons[0].endswith(reason)
    assert {request.path for request in asked} == {"/api/v1/stream"}
    assert {request.headers["Authorization"] for request in asked} == {"Bearer t"}


async def test_a_board_of_another_kind_is_no_board() -> None:
    """The next time it asks for the whole board again."""
    display = Display(Console(file=None, quiet=True), PEN, "nothing")
    text = 'id: b-1\nevent: snapshot\ndata: {"slots": 1}\n\n'
    async with answering(web.Response(text=text)) as (url, asked), following(display, url):
        async with asyncio.timeout(WITHIN):
            while len(asked) < 3:
                await asyncio.sleep(0.01)
    assert (display.known.lost or "").startswith("what came is not a station's: ")
    assert all("Last-Event-ID" not in request.headers for request in asked)


@contextmanager
def frozen(process: subprocess.Popen[str]) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@contextmanager
def scripted(slots: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A page as a process of its own."""
    command = [sys.executable, "-m", "tests.web.scripted_line", f"--slots={slots}"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, next(line.strip() for line in process.stdout if line.startswith("http://"))
        finally:
            process.kill()


async def vouched(display: Display) -> None:
    async with asyncio.timeout(WITHIN):
        while not display.is_live:
            await asyncio.sleep(0.01)


async def test_a_stopped_process_leaves_no_colour() -> None:
    """Its connection stands, and only beats are missing. Nothing but the clock has to go on for that."""
    clock = Clock()
    display = Display(Console(file=None, quiet=True), PEN, "nothing", clock=clock, day=lambda: "")
    with scripted(8) as (process, url):
        async with following(display, url):
            await vouched(display)
            with frozen(process):
                clock.now += 2.9
                assert "#27c780" in colours(display.drawn(80, 24))
                clock.now += 0.1
                assert colours(display.drawn(80, 24)) == set()
                assert "no beat for 3 s" in " ".join(line.plain for line in display.drawn(200, 24))
            await vouched(display)
            assert "#27c780" in colours(display.drawn(80, 24))


async def test_a_killed_process_leaves_no_colour() -> None:
    display = Display(Console(file=None, quiet=True), PEN, "nothing", clock=Clock(), day=lambda: "")
    with scripted(8) as (process, url):
        async with following(display, url):
            await vouched(display)
            process.kill()
            async with asyncio.timeout(WITHIN):
                while display.is_live:
                    await asyncio.sleep(0.01)
            assert colours(display.drawn(80, 24)) == set()


def test_a_connection_that_ends_takes_the_colours_at_once() -> None:
    """The clock has not gone on."""
    display = Display(Console(file=None, quiet=True), PEN, "nothing", clock=Clock(), day=lambda: "")
    for event in (snapshot(FakeDoor(mixed(8))), BEAT):
        display.hear(event)
    assert colours(display.drawn(80, 24))
    display.lose("the stream has ended")
    assert colours(display.drawn(80, 24)) == set()
