# SPDX-License-Identifier: Apache-2.0
"""A receiver of webhooks as a factory may have it, with a switch for each of its bad habits."""

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from aiohttp import ClientConnectionResetError, web

KEY = b"a key of the receiver's, 32 byte"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def verified(headers: dict[str, str], body: bytes, key: bytes) -> bool:
    """Verifies a signature as the specification of Standard Webhooks says, without any code of the station."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = [each.partition(",")[2] for each in headers["webhook-signature"].split() if each.startswith("v1,")]
    return any(hmac.compare_digest(wanted, each) for each in given)


@dataclass
class Receiver:
    """`mode` is how it behaves: ok, down, slow, drop, redirect, or a status. `poison`: the subjects and ids that get 400."""

    mode: str = "ok"
    poison: set[object] = field(default_factory=set)
    retry_after: str | None = None
    taken: list[dict[str, object]] = field(default_factory=list)
    """The events that it has confirmed, or has taken without saying so."""
    heads: int = 405
    """The status for whoever asks for no more than that."""
    requests: int = 0
    elsewhere: int = 0
    keys: tuple[bytes, ...] = (KEY,)
    seen: asyncio.Event = field(default_factory=asyncio.Event)
    before_answer: Callable[[], None] = lambda: None
    after_answer: Callable[[], None] = lambda: None
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    @property
    def ids(self) -> list[object]:
        """The ids that it has taken, each once, as a receiver that knows repetitions has them."""
        return list(dict.fromkeys(event.get("id", event.get("UniqueID")) for event in self.taken))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        body = await request.read()
        event = json.loads(body)
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.headers.append(headers)
        self.before_answer()
        assert any(verified(headers, body, key) for key in self.keys), "the signature is wrong"
        reply = await self._reply(event)
        if reply is None:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        with suppress(ClientConnectionResetError):  # a station that was killed has asked, and hears no answer
            await reply.prepare(request)
            await reply.write_eof()
        self.seen.set()
        self.after_answer()
        return reply

    async def _reply(self, event: dict[str, object]) -> web.StreamResponse | None:
        if self.poison & {event.get("subject"), event.get("id")}:
            return web.Response(status=400, text="I do not like this unit")
        match self.mode:
            case "ok":
                self.taken.append(event)
                return web.Response(status=204)
            case "slow":
                await asyncio.sleep(3600)
            case "drop":
                self.taken.append(event)
            case "down":
                pass
            case "redirect":
                return web.Response(status=307, headers={"Location": f"{self.url}/elsewhere"})
            case status:
                headers = {"Retry-After": self.retry_after} if self.retry_after else {}
                return web.Response(status=int(status), headers=headers, text="\x1b[31mno")
        return None

    async def answer_head(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(status=self.heads, headers={"Location": f"{self.url}/elsewhere"})

    async def answer_elsewhere(self, _request: web.Request) -> web.StreamResponse:
        self.elsewhere += 1
        return web.Response(status=204)


@asynccontextmanager
async def receiving(receiver: Receiver, tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[Receiver]:
    """The receiver at a port of this PC; 0 takes a free one."""
    app = web.Application()
    app.router.add_post("/", receiver.answer)
    app.router.add_route("HEAD", "/", receiver.answer_head)
    app.router.add_route("*", "/elsewhere", receiver.answer_elsewhere)
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls)
    await site.start()
    host, bound = runner.addresses[0][:2]
    receiver.url = f"{'https' if tls else 'http'}://{host}:{bound}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@contextmanager
def posted(receiver: Receiver) -> Iterator[Receiver]:
    """The same in a thread with a loop of its own, for programs that have none."""
    ready, ended = threading.Event(), threading.Event()

    async def serve() -> None:
        async with receiving(receiver):
            ready.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    try:
        yield receiver
    finally:
        ended.set()
        thread.join()
