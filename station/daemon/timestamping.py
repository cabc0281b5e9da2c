# SPDX-License-Identifier: Apache-2.0
"""Asks the time-stamping authority for a stamp of a checkpoint, bounded in time and size. Nothing waits for its answer."""

import asyncio
from dataclasses import replace

from station.adapters.ledger.timestamps import NotAStamp, StampAuthority
from station.adapters.outbox.http import NoAnswer, Post
from station.adapters.system import client_tls
from station.domain.checkpoint import LARGEST_STAMP, Signed

WITHIN = 20.0  # seconds
HEADERS = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}


class Timestamping:
    """The authority at this address."""

    def __init__(self, url: str, authority: StampAuthority, within: float = WITHIN) -> None:
        self._url = url
        self._authority = authority
        self._within = within

    async def stamped(self, signed: Signed) -> Signed:
        """The checkpoint with its time stamp, which was checked. Raises `NotAStamp`."""
        statement = signed.checkpoint.statement()
        question = self._authority.question(statement)
        context = await asyncio.to_thread(client_tls.trusting)
        try:
            async with Post.opened(lambda: context) as post:
                reply = await post.post(self._url, question.body, HEADERS, self._within)
        except NoAnswer as exc:
            raise NotAStamp(str(exc)) from exc
        if reply.status != 200:
            raise NotAStamp(f"HTTP {reply.status}")
        if len(reply.body) > LARGEST_STAMP:
            raise NotAStamp(f"its answer is longer than {LARGEST_STAMP} bytes")
        await asyncio.to_thread(self._authority.check, statement, reply.body, question.nonce)
        return replace(signed, timestamp=reply.body)
