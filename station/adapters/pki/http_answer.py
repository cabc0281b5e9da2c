# SPDX-License-Identifier: Apache-2.0
"""An answer of the PKI's server, bounded, and the meaning of the statuses by which servers refuse a station. Pure."""

import zlib
from dataclasses import dataclass

from station.faults import LineFault
from station.faults.line import PKIAddressWrong, PKIForbidden, PKIRefusedStation, PKIUnavailable

MAX_ANSWER = 64 * 1024
REASON_LENGTH = 200
FIRST_REFUSAL = 300
MOVED = frozenset({301, 302, 307, 308})
"""Statuses after which the same request is sent to another address, a POST as a POST: the server has not handled it.

303 is none of them: it says that the POST has been handled.
"""
WRONG_ADDRESS = frozenset({404, 405, 410, 421})
FORBIDDEN = 403
BUSY = frozenset({408, 412, 425, 429})
"""Statuses below 500 that invite a repetition; 412 is that of an OpenBao server behind its cluster."""
_COMPRESSED = frozenset({"gzip", "x-gzip", "deflate"})
_ANY_HEADER = 32  # zlib: finds out which header the data has


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the server; that of a refusal may be cut off."""

    status: int
    after: float | None
    """Seconds that it asks to wait, from 0 to a day."""
    body: bytes
    location: str = ""

    @property
    def told(self) -> str:
        """Status and the beginning of the text, as evidence for a fault."""
        return one_line(f"{self.status} {self.body.decode(errors='replace')}")


def refusal_of_station(url: str, answer: Answer) -> LineFault | None:
    """The fault of a status that refuses whatever this station asks; None for other statuses.

    The server has not handled the request.
    """
    match answer.status:
        case status if status in MOVED:
            return PKIAddressWrong(url, f"{status}, which redirects to {one_line(answer.location) or 'nowhere'}")
        case status if status in WRONG_ADDRESS:
            return PKIAddressWrong(url, answer.told)
        case status if status == FORBIDDEN:
            return PKIForbidden(url, answer.told)
        case status if 400 <= status < 500:
            return PKIRefusedStation(url, answer.told)
    return None


def refused_question(url: str, answer: Answer) -> LineFault:
    """The fault of any status but success, in answer to a question."""
    if answer.status in BUSY:
        return PKIUnavailable(url, answer.told)
    return refusal_of_station(url, answer) or PKIUnavailable(url, answer.told)


def one_line(text: str) -> str:
    """Text of a server, in one line without control characters, cut to a length that a fault can show."""
    kept = "".join(char for char in text if char.isprintable() or char.isspace())
    return " ".join(kept.split())[:REASON_LENGTH].rstrip()


def expanded(content: bytes, encoding: str) -> bytes:
    """Content without its compression, up to a little more than an answer may have."""
    if encoding.strip().lower() not in _COMPRESSED:
        return content
    try:
        return zlib.decompressobj(_ANY_HEADER | zlib.MAX_WBITS).decompress(content, MAX_ANSWER + 1)
    except zlib.error:
        return content
