# SPDX-License-Identifier: Apache-2.0
"""Asks a node of the CSA's ledger (DCL) over HTTPS for roots, declaration signers, revocation points and models. It verifies nothing.

Only commands that people type use it: no line needs the network for it.
"""

import base64
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlsplit

import aiohttp

from station.adapters.system import bounded, client_tls
from station.matter.certificates.dcl_answers import AnswerInvalid, Answers, Identifier

WITHIN = 30.0  # seconds for one answer
LARGEST = 16 << 20  # bytes of one answer
MOST_PAGES = 1000
MOST_MOVES = 3

OK, NOT_FOUND = 200, 404


class NodeUnusable(Exception):
    """The node, or a server with a revocation list, has not answered as it should; the text names the URL."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node. `kept` has every answer by the name of a file."""

    url: str
    answers: Answers
    kept: dict[str, bytes]
    session: aiohttp.ClientSession

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, ca: Path | None = None) -> AsyncIterator[Self]:
        """`ca` has the authorities of the node's certificate, if they are not the machine's. Raises `NodeUnusable`."""
        if urlsplit(url).scheme != "https":
            raise NodeUnusable(f"{url}: an address that begins with https:// is expected")
        try:
            context = client_tls.trusting(ca)
        except OSError as exc:
            raise NodeUnusable(f"{ca}: no certificates of authorities, in PEM") from exc
        timeout, connector = aiohttp.ClientTimeout(total=WITHIN), aiohttp.TCPConnector(ssl=context)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector, trust_env=True) as session:
            yield cls(url.rstrip("/"), Answers(), {}, session)

    async def ask_for_trust(self, authorities: Iterable[Identifier]) -> None:
        """Roots, the signers under these authorities of declarations, and all revocation lists."""
        await self._ask("root-certificates", "pki/root-certificates")
        for authority in authorities:
            await self._ask(f"child-certificates-{_plain(authority)}", f"pki/child-certificates/{_path(authority)}")
        for each in sorted((self.answers.roots or set()) | (self.answers.children or set()), key=_plain):
            await self._ask(f"certificate-{_plain(each)}", f"pki/certificates/{_path(each)}")
        await self._ask("revocation-points", "pki/revocation-points")
        for number, url in enumerate(sorted({point.url for point in self.answers.points or ()}), 1):
            await self._ask_for_list(f"revocations-{number}.crl", url)

    async def ask_for_model(self, vendor_id: int, product_id: int) -> None:
        await self._ask(f"model-{vendor_id:04X}-{product_id:04X}", f"model/models/{vendor_id}/{product_id}")

    async def _ask(self, name: str, path: str) -> None:
        """Asks for all pages; an entry that the ledger does not have is no answer."""
        page: str | None = ""
        for number in range(MOST_PAGES):
            question = f"{self.url}/dcl/{path}" + (f"?pagination.key={quote(page, safe='')}" if page else "")
            content = await self._get(question, moves=0)
            if content is None:
                return
            if not content.lstrip().startswith(b"{"):
                raise NodeUnusable(f"{question}: the answer is not JSON")
            file = f"{name}{f'-{number + 1}' if number else ''}.json"
            try:
                page = self.answers.add(file, content)
            except AnswerInvalid as exc:
                raise NodeUnusable(f"{question}: {exc}") from exc
            self.kept[file] = content
            if page is None:
                return
        raise NodeUnusable(f"{self.url}/dcl/{path}: more than {MOST_PAGES} pages")

    async def _ask_for_list(self, file: str, url: str) -> None:
        """A list that is not to be had leaves what was revoked before as it is."""
        if urlsplit(url).scheme not in {"http", "https"}:
            return
        try:
            content = await self._get(url, moves=MOST_MOVES)
        except NodeUnusable:
            return
        if content is None or content.lstrip().startswith(b"{"):
            return
        try:
            self.answers.add(file, content)
        except AnswerInvalid:
            return
        self.kept[file] = content

    async def _get(self, url: str, *, moves: int) -> bytes | None:
        try:
            answering = self.session.get(url, allow_redirects=moves > 0, max_redirects=moves or 1)
            async with answering as answer:
                if answer.status == NOT_FOUND:
                    return None
                if answer.status != OK:
                    raise NodeUnusable(f"{url}: status {answer.status}")
                content = await bounded.beginning(answer.content, LARGEST + 1)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as exc:
            raise NodeUnusable(f"{url}: {str(exc) or type(exc).__name__}") from exc
        if len(content) > LARGEST:
            raise NodeUnusable(f"{url}: the answer has more than {LARGEST} bytes")
        return content


def _plain(each: Identifier) -> str:
    return each.key_id.hex().upper()


def _path(each: Identifier) -> str:
    """The subject in base64 and the key identifier in pairs of digits with colons, as the ledger's questions have them."""
    return f"{quote(base64.b64encode(each.subject).decode(), safe='')}/{quote(each.key_id.hex(':').upper(), safe='')}"
