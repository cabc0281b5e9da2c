# SPDX-License-Identifier: Apache-2.0
"""The way of an answer to the client: whole, late, in drops, cut, or without end."""

import asyncio
import os
import socket
import struct
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from http import HTTPStatus

from aiohttp import web

from development_pki.answers import Answer
from development_pki.faults import Fault, Faults
from development_pki.lists import Fate

MEGABYTE = 1_000_000
CHUNK = b"\n" * 65536
BOMB = 256 * MEGABYTE
Delivered = tuple[web.StreamResponse, int | None, Fate]  # what the handler returns, the status if any, the fate


async def deliver(request: web.Request, answer: Answer, fault: Fault | None, faults: Faults) -> Delivered:
    """Answers as a switch asks for; raises ConnectionError when the client is gone before the answer is sent."""
    if fault is None:
        return await send(request, answer)
    seconds = faults.number(fault, "seconds") if "seconds" in fault.parameters else 0
    return await WAYS[fault](request, answer, seconds)


async def send(request: web.Request, answer: Answer) -> Delivered:
    """Sends the whole answer."""
    response = web.Response(body=answer.body or None, status=answer.status, headers=_headers(answer))
    await response.prepare(request)
    await response.write_eof()
    return response, answer.status, Fate.SENT if answer.complete else Fate.WITHHELD


async def hang() -> None:
    """Waits until the client, or this server, ends the connection, which cancels the caller."""
    await asyncio.Event().wait()


def reset(request: web.Request) -> web.Response:
    """Ends the connection with a TCP reset."""
    if request.transport is not None:
        reset_when_closed(request.transport.get_extra_info("socket").fileno())
        request.transport.abort()
    return web.Response()  # no client gets this answer


def reset_when_closed(descriptor: int) -> None:
    """Makes the socket end its connection with a reset instead of FIN."""
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _closed(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.close()
    return web.Response()  # no client gets this answer


def _headers(answer: Answer) -> dict[str, str]:
    # `ESTServer.finish_head` removes the empty one; without it aiohttp would put its own.
    return {**answer.headers, "Content-Type": answer.content_type or ""}


def _with_header(answer: Answer, name: str, value: str) -> Answer:
    return replace(answer, headers={**answer.headers, name: value})


def _begun(answer: Answer) -> web.StreamResponse:
    return web.StreamResponse(status=answer.status, headers=_headers(answer))


async def _dropped(request: web.Request, _answer: Answer, _seconds: float) -> Delivered:
    return reset(request), None, Fate.WITHHELD


async def _ended(request: web.Request, _answer: Answer, _seconds: float) -> Delivered:
    return _closed(request), None, Fate.WITHHELD


async def _never(_request: web.Request, _answer: Answer, _seconds: float) -> Delivered:
    await hang()
    raise AssertionError


async def _failed(request: web.Request, _answer: Answer, _seconds: float) -> Delivered:
    return await send(request, Answer(b"The certificate could not be stored.\n", 500, complete=False))


async def _late(request: web.Request, answer: Answer, seconds: float) -> Delivered:
    await asyncio.sleep(seconds)
    return await send(request, answer)


async def _with_large_header(request: web.Request, answer: Answer, _seconds: float) -> Delivered:
    return await send(request, _with_header(answer, "X-Padding", "x" * 2 * MEGABYTE))


async def _truncated(request: web.Request, answer: Answer, _seconds: float) -> Delivered:
    response = _begun(answer)
    response.content_length = len(answer.body)
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    _closed(request)
    return response, answer.status, Fate.WITHHELD


async def _dripping_head(request: web.Request, answer: Answer, seconds: float) -> Delivered:
    headers = {**answer.headers, "Content-Length": str(len(answer.body)), "Connection": "close"}
    if answer.content_type is not None:
        headers["Content-Type"] = answer.content_type
    status = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
    head = status + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    for byte in head.encode():
        _write(request, bytes((byte,)))
        await asyncio.sleep(seconds)
    _write(request, answer.body)
    return _closed(request), answer.status, Fate.SENT if answer.complete else Fate.WITHHELD


async def _dripping_body(request: web.Request, answer: Answer, seconds: float) -> Delivered:
    response = _begun(answer)
    response.content_length = len(answer.body)
    await response.prepare(request)
    for byte in answer.body:
        await response.write(bytes((byte,)))
        await asyncio.sleep(seconds)
    await response.write_eof()
    return response, answer.status, Fate.SENT if answer.complete else Fate.WITHHELD


async def _padded(request: web.Request, answer: Answer, _seconds: float) -> Delivered:
    return await send(request, replace(answer, body=answer.body.ljust(10 * MEGABYTE, b"\n")))


async def _endless(request: web.Request, answer: Answer, _seconds: float) -> Delivered:
    response = _begun(answer)
    await response.prepare(request)
    await response.write(answer.body)
    while True:
        await response.write(CHUNK)


async def _bomb(request: web.Request, answer: Answer, _seconds: float) -> Delivered:
    packed = await asyncio.to_thread(_packed, answer.body)
    return await send(request, replace(_with_header(answer, "Content-Encoding", "gzip"), body=packed))


def _packed(body: bytes) -> bytes:
    gzip = zlib.compressobj(wbits=31)  # 31: with gzip's header
    return gzip.compress(body) + b"".join(gzip.compress(CHUNK) for _ in range(BOMB // len(CHUNK))) + gzip.flush()


def _write(request: web.Request, data: bytes) -> None:
    if request.transport is None or request.transport.is_closing():
        raise ConnectionResetError("the client is gone")
    request.transport.write(data)


WAYS: Mapping[Fault, Callable[[web.Request, Answer, float], Awaitable[Delivered]]] = {
    Fault.DROP_AFTER_ISSUE: _dropped,
    Fault.FIN_AFTER_ISSUE: _ended,
    Fault.TRUNCATED: _truncated,
    Fault.STATUS_500_AFTER_ISSUE: _failed,
    Fault.LATE: _late,
    Fault.DRIP_HEADER: _dripping_head,
    Fault.DRIP_BODY: _dripping_body,
    Fault.HANG_AFTER_ISSUE: _never,
    Fault.HEADER_2_MB: _with_large_header,
    Fault.BODY_10_MB: _padded,
    Fault.ENDLESS: _endless,
    Fault.GZIP_BOMB: _bomb,
}
