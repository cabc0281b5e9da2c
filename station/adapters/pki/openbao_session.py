# SPDX-License-Identifier: Apache-2.0
"""Requests to an OpenBao server under the station's token, which a file has or a login by certificate brings.

The token of a login is kept in memory, and removed from everything that the server says.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

from station.adapters.pki import secret_header
from station.adapters.pki.enroller import AnswerUnusable, NotNow, Outcome
from station.adapters.pki.http import Connection
from station.adapters.pki.http_answer import Answer, refusal_of_station, refused_question
from station.faults.line import PKIRefusedStation, PKIUnavailable

TOKEN = "X-Vault-Token"  # noqa: S105  the header's name
NAMESPACE = "X-Vault-Namespace"
OK, FORBIDDEN = HTTPStatus.OK, HTTPStatus.FORBIDDEN

# 412: a standby server that has not caught up yet; 429: a quota; 503: the server is sealed. Nothing was handled.
NOT_HANDLED = frozenset({204, 205, 408, 412, 425, 429, 503})
BAD_REQUEST = frozenset({400, 409, 413, 422})


@dataclass(frozen=True, slots=True)
class Login:
    """The mount of the authentication by certificates, and its role."""

    mount: str = "cert"
    role: str | None = None


class _Token:
    """The token of a login. Its text is in no `repr`."""

    def __init__(self, text: str) -> None:
        self.header = {TOKEN: text}


class Session:
    """A connection that the server lets in. Without a login the connection itself sends a token."""

    def __init__(self, connection: Connection, login: Login | None, namespace: str | None = None) -> None:
        self.url = connection.url
        self._connection = connection
        self._login = login
        self._headers = {NAMESPACE: namespace} if namespace else {}
        self._token: _Token | None = None
        self._logging_in = asyncio.Lock()

    async def exchange(self, method: str, path: str, wanted: Mapping[str, object] | None = None) -> Answer:
        """One request; a refused token is replaced once by a new login, since nothing was handled under it.

        Raises what `Connection.exchange` raises, and `PKIRefusedStation` when the login is refused.
        """
        token = await self._current()
        answer = await self._sent(method, path, wanted, token)
        if answer.status == FORBIDDEN and token is not None:
            answer = await self._sent(method, path, wanted, await self._current(instead_of=token))
        return answer

    async def question(self, path: str) -> Answer:
        """A request that changes nothing; raises `AnswerUnusable` for an answer without bound, and faults of the line."""
        try:
            return await self.exchange("GET", path)
        except NotNow as exc:
            raise PKIUnavailable(self.url, exc.reason) from exc

    async def check(self) -> None:
        """Raises a fault of the line unless the server lets the station in."""
        try:
            if await self._current() is not None:
                return
        except NotNow as exc:
            raise PKIUnavailable(self.url, exc.reason) from exc
        answer = await self.question("v1/auth/token/lookup-self")
        if answer.status == FORBIDDEN:
            raise PKIRefusedStation(self.url, f"the token of [pki.openbao] token_file: {told(answer)}")
        if answer.status != OK:
            raise refused_question(self.url, in_words(answer))

    async def _current(self, *, instead_of: _Token | None = None) -> _Token | None:
        """The token in use, after a login if there is none, or only the refused one. None: it is in a file."""
        if self._login is None:
            return None
        async with self._logging_in:
            if self._token is None or self._token is instead_of:
                self._token = None
                self._token = await self._logged_in(self._login)
            return self._token

    async def _logged_in(self, login: Login) -> _Token:
        """Raises NotNow, for a login issues nothing, or a fault of the line."""
        wanted = {"name": login.role} if login.role else {}
        try:
            answer = await self._sent("POST", f"v1/auth/{login.mount}/login", wanted, None)
        except NotNow as exc:
            raise NotNow(f"login: {exc.reason}", Outcome.NOTHING_ISSUED, exc.after) from exc
        except AnswerUnusable as exc:
            raise NotNow(f"login: {exc.fault}", Outcome.NOTHING_ISSUED) from exc
        if answer.status == OK:
            text = table(table(values(answer)).get("auth")).get("client_token")
            if isinstance(text, str) and text.isascii() and text.isprintable():
                return _Token(text)
            raise NotNow("login: the answer has no token", Outcome.NOTHING_ISSUED)
        if answer.status in BAD_REQUEST | {FORBIDDEN}:
            raise PKIRefusedStation(self.url, f"login by certificate: {told(answer)}")
        if answer.status not in NOT_HANDLED and (fault := refusal_of_station(self.url, in_words(answer))):
            raise fault
        raise NotNow(f"login: {told(answer)}", Outcome.NOTHING_ISSUED, answer.after)

    async def _sent(self, method: str, path: str, wanted: Mapping[str, object] | None, token: _Token | None) -> Answer:
        secret = token.header if token is not None else {}
        body = None if wanted is None else json.dumps(wanted).encode()
        headers = {**self._headers, **secret, **({"Content-Type": "application/json"} if body else {})}
        try:
            answer = await self._connection.exchange(method, path, body=body, headers=headers)
        except AnswerUnusable as exc:  # a new one, since the old one's text stays in it
            raise AnswerUnusable(exc.fault, secret_header.hidden(exc.content, secret), exc.certificates) from None
        except NotNow as exc:
            reason = secret_header.hidden(exc.reason.encode(), secret).decode()
            raise NotNow(reason, exc.outcome, exc.after) from exc.__cause__
        return replace(answer, body=secret_header.hidden(answer.body, secret))


def values(answer: Answer) -> object:
    """The answer's JSON; None if it is none."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):  # brackets nested too deeply raise RecursionError
        return None


def table(value: object) -> Mapping[str, object]:
    """A JSON object; empty if it is none."""
    return value if isinstance(value, dict) else {}


def data(answer: Answer) -> Mapping[str, object]:
    return table(table(values(answer)).get("data"))


def in_words(answer: Answer) -> Answer:
    """The answer with the server's own words as its body, as evidence for a fault."""
    errors = table(values(answer)).get("errors")
    words = [each for each in errors if isinstance(each, str)] if isinstance(errors, list) else []
    return replace(answer, body="; ".join(words).encode()) if words else answer


def told(answer: Answer) -> str:
    """The status and the server's own words."""
    return in_words(answer).told
