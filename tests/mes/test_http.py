# SPDX-License-Identifier: Apache-2.0
"""One request and its answer: the whole of it, however the network cuts it, and never more than is wanted."""

import asyncio
import ssl
from contextlib import suppress

import pytest

from station.adapters.outbox.http import LONGEST_ANSWER, NoAnswer, Post

HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
BETWEEN = 0.05  # seconds from one piece to the next: enough for the first to be read alone
WITHIN = 60.0


async def answer(*pieces: bytes) -> bytes:
    """What the station reads of an answer that comes in these pieces."""

    served = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with suppress(ConnectionError):  # the station has read enough
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(BETWEEN)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        served.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    context = ssl.create_default_context()
    async with server:
        try:
            async with Post.opened(lambda: context) as post:
                port = server.sockets[0].getsockname()[1]
                return (await post.post(f"http://127.0.0.1:{port}/", b"", {}, WITHIN)).body
        finally:
            await served.wait()


async def test_an_answer_in_pieces_is_read_to_its_end() -> None:
    body = b'{"decision": "proceed", "reason": "as planned"}'
    head = HEAD + b"Content-Length: %d\r\n\r\n" % len(body)
    assert await answer(head + body[:10], body[10:30], body[30:]) == body


async def test_an_answer_that_breaks_off_is_none() -> None:
    with pytest.raises(NoAnswer):
        await answer(HEAD + b"Content-Length: 100\r\n\r\n", b"half")


async def test_an_answer_without_an_end_is_cut() -> None:
    pieces = [bytes(LONGEST_ANSWER // 4)] * 8
    assert await answer(HEAD + b"Content-Length: 999999999\r\n\r\n", *pieces) == bytes(LONGEST_ANSWER)
