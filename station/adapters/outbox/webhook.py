# SPDX-License-Identifier: Apache-2.0
"""Delivers messages to a webhook: one POST a message, signed, and confirmed by 2xx."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

from station.adapters.outbox import signature
from station.adapters.outbox.http import NoAnswer, Post, Reply
from station.adapters.outbox.secret_file import SecretUnusable, signing_keys
from station.adapters.system import retry_after
from station.mes.message import Answer, Delivered, Failed, Refused, Waiting

AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


class Webhook:
    """One receiver. `secret`: the file with the keys, read for each message, so that a new one is taken up."""

    def __init__(
        self,
        post: Post,
        url: str,
        secret: Path | None,
        content_type: str,
        now: Callable[[], datetime],
        within: float = 10.0,
    ) -> None:
        self._post = post
        self._url = url
        self._secret = secret
        self._content_type = content_type
        self._now = now
        self._within = within

    async def deliver(self, message: Waiting) -> Answer:
        """Posts one message; whatever goes wrong is an answer."""
        body = message.body.encode()
        try:
            keys = [] if self._secret is None else signing_keys(self._secret)
            headers = signature.headers(message.event_id, body, self._now(), keys)
            reply = await self._post.post(self._url, body, headers | {"Content-Type": self._content_type}, self._within)
        except (NoAnswer, SecretUnusable) as exc:
            return Failed(str(exc))
        return answer_of(reply, self._now())


def answer_of(reply: Reply, now: datetime) -> Answer:
    """What a status means: 2xx confirms; a redirect is not followed, and may be mended as a server's failure may."""
    if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
        return Delivered()
    if HTTPStatus.BAD_REQUEST <= reply.status < HTTPStatus.INTERNAL_SERVER_ERROR and reply.status not in AGAIN:
        return Refused(reply.told)
    return Failed(reply.told, retry_after.seconds(reply.headers.get("Retry-After"), now) or 0.0)
