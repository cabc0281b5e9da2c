# SPDX-License-Identifier: Apache-2.0
"""The list of certificates that an OpenBao mount keeps, searched for those of one key.

The list has no keys, so the newest certificates are read, each once: a lost answer is the sooner looked for the newer it is.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus

import structlog

from station.adapters.pki import answers
from station.adapters.pki.answers import NoCertificates
from station.adapters.pki.enroller import AnswerUnusable
from station.adapters.pki.http_answer import Answer, refused_question
from station.adapters.pki.openbao_session import FORBIDDEN, OK, Session, data, in_words, table, values
from station.faults.line import PKIUnavailable

PAGE = 60  # entries in one answer, which may have 64 KiB
MOST_PAGES = 400
MOST_READ = 400  # certificates
SEARCHED_WITHIN = 120.0  # seconds for one search; the next one goes on with what this one has read
NOT_THERE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Entry:
    """One certificate of the list."""

    serial_number: str
    begins: str
    """RFC 3339 in UTC, so that texts sort as times do; empty where the list does not say it."""


class CertificateList:
    """The list of one mount."""

    def __init__(self, session: Session, mount: str, within: float = SEARCHED_WITHIN) -> None:
        self._within = within
        self._session = session
        self._mount = mount
        self._read: dict[str, bytes] = {}
        """Certificates that were read, DER, by serial number; they never change."""
        self._reading = asyncio.Lock()

    async def certificates_for(self, key: str) -> list[bytes] | None:
        """All certificates for the key, the newest first; None if the station may not see the list, or it is too long.

        Raises faults of the line, also if a slow server makes the search too long.
        """
        try:
            async with asyncio.timeout(self._within):
                return await self._searched(key)
        except TimeoutError as exc:
            reason = f"its list of certificates was not searched within {self._within:g} s"
            raise PKIUnavailable(self._session.url, reason) from exc

    async def _searched(self, key: str) -> list[bytes] | None:
        async with self._reading:  # several boards ask at once after a restart, and all need the same certificates
            entries = await self._entries("certs/detailed") or await self._entries("certs")
            if entries is None:
                log.info(
                    "pki.list_unreadable", reason=f"the mount {self._mount} shows no list, or one too long to read"
                )
                return None
            newest = sorted(entries, key=lambda entry: entry.begins, reverse=True)[:MOST_READ]
            for entry in newest:
                if entry.serial_number not in self._read:
                    self._read[entry.serial_number] = await self._certificate(entry.serial_number)
            self._read = {entry.serial_number: self._read[entry.serial_number] for entry in newest}
        found = [each for each in self._read.values() if each and answers.key_of(each) == key]
        return found if found or len(entries) <= MOST_READ else None

    async def _entries(self, list_name: str) -> list[Entry] | None:
        """All entries; None if the station may not see them, or if they are too many."""
        entries: dict[str, Entry] = {}
        after = ""
        for _ in range(MOST_PAGES):
            page = await self._page(list_name, after)
            if page is None:
                return None
            known = len(entries)
            entries |= {entry.serial_number: entry for entry in page}
            # Vault knows no pages and sends the whole list each time.
            if len(page) != PAGE or len(entries) == known:
                return list(entries.values())
            after = page[-1].serial_number
        return None

    async def _page(self, list_name: str, after: str) -> list[Entry] | None:
        # OpenBao stores serial numbers with hyphens, lists them with colons, and compares `after` with what it stores.
        query = f"list=true&limit={PAGE}" + f"&after={after.replace(':', '-')}" * bool(after)
        try:
            answer = await self._session.question(f"v1/{self._mount}/{list_name}?{query}")
        except AnswerUnusable:  # longer than any answer may be
            return None
        if answer.status == OK:
            return list(_entries_in(answer))
        if answer.status in NOT_THERE and table(values(answer)).get("errors") == []:
            return []  # so says an empty list
        if answer.status in NOT_THERE | {FORBIDDEN}:
            return None
        raise refused_question(self._session.url, in_words(answer))

    async def _certificate(self, serial_number: str) -> bytes:
        """DER; empty where there is none any more."""
        try:
            answer = await self._session.question(f"v1/{self._mount}/cert/{serial_number}")
        except AnswerUnusable:
            return b""
        if answer.status not in NOT_THERE | {OK}:
            raise refused_question(self._session.url, in_words(answer))
        text = data(answer).get("certificate")
        try:
            return answers.certificates_in(text.encode())[0] if isinstance(text, str) else b""
        except NoCertificates:
            return b""


def _entries_in(answer: Answer) -> Iterator[Entry]:
    listed = data(answer)
    about = table(listed.get("key_info"))
    keys = listed.get("keys")
    for each in keys if isinstance(keys, list) else ():
        if isinstance(each, str) and set(each) <= set("0123456789abcdefABCDEF:-"):  # it becomes part of a path
            begins = table(about.get(each)).get("not_before")
            yield Entry(each, begins if isinstance(begins, str) else "")
