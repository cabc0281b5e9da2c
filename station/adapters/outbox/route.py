# SPDX-License-Identifier: Apache-2.0
"""Asks the MES over HTTP whether a board belongs to this station now (`interfaces.Route`)."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog

from station.adapters.outbox.http import NoAnswer, Post
from station.adapters.system.shown import shown
from station.domain.attempt import RouteChecked
from station.domain.target import UID
from station.faults.line import MESUnavailable
from station.faults.slot import NotRouted
from station.mes import route
from station.mes.route import AnswerUnusable, Question, Verdict

log = structlog.get_logger()

WITHIN = 2.0
HEADERS = {"Content-Type": "application/json; charset=utf-8", "Accept": "application/json"}


class HTTPRoute:
    """One MES. Asked each time: the `work_order`, and whether the line `waits` for an MES that does not answer, or boards go on unchecked."""

    def __init__(
        self,
        post: Post,
        url: str,
        *,
        station: str,
        work_order: Callable[[], Awaitable[str]],
        product: str,
        waits: Callable[[], bool],
        cfx: bool = False,
        within: float = WITHIN,
    ) -> None:
        self._post = post
        self._url = url
        self._place = urlsplit(url)._replace(query="", fragment="").geturl()
        self._station = station
        self._work_order = work_order
        self._product = product
        self._waits = waits
        self._cfx = cfx
        self._within = within
        self._unanswered: Question | None = None

    @property
    def up(self) -> bool:
        """Whether the MES answered the last question."""
        return self._unanswered is None

    async def check(self, uid: UID, serial_number: str | None) -> RouteChecked:
        """Raises `NotRouted`, and `MESUnavailable` where the line waits."""
        question = Question(self._station, await self._work_order(), self._product, str(uid), serial_number)
        try:
            verdict = await self._ask(question)
        except NoAnswer as exc:
            if self._unanswered is None:
                log.warning("mes.unanswered", url=self._place, reason=shown(exc))
            self._unanswered = question
            if self._waits():
                raise MESUnavailable(self._place, str(exc)) from exc
            return RouteChecked(checked=False, reason=shown(exc, route.LONGEST_REASON))
        self._unanswered = None
        if not verdict.allowed:
            raise NotRouted(str(uid), verdict.reason)
        return RouteChecked(checked=True, reason=verdict.reason)

    async def check_up(self) -> None:
        """Repeats the question that was not answered last; raises `MESUnavailable` if the line waits for the answer."""
        if self._unanswered is None or not self._waits():
            return
        try:
            await self._ask(self._unanswered)
        except NoAnswer as exc:
            raise MESUnavailable(self._place, str(exc)) from exc
        self._unanswered = None

    async def _ask(self, question: Question) -> Verdict:
        """Raises `NoAnswer`, also for an answer that says neither yes nor no."""
        body = question.as_cfx(datetime.now(UTC)) if self._cfx else question.plain()
        reply = await self._post.post(self._url, body.encode(), HEADERS, self._within)
        if not HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
            raise NoAnswer(reply.told)
        try:
            return route.cfx_verdict(reply.body) if self._cfx else route.plain_verdict(reply.body)
        except AnswerUnusable as exc:
            raise NoAnswer(str(exc)) from exc
