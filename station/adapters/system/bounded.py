# SPDX-License-Identifier: Apache-2.0
"""The beginning of an answer's body, however the network cuts it."""

from collections.abc import AsyncIterator
from typing import Protocol


class Content(Protocol):
    """A body that comes in pieces, as aiohttp has it."""

    def iter_any(self) -> AsyncIterator[bytes]: ...


async def beginning(content: Content, most: int) -> bytes:
    """At most so many bytes. aiohttp's own `read(most)` ends with the first piece that has come."""
    found = bytearray()
    async for piece in content.iter_any():
        found += piece
        if len(found) >= most:
            break
    return bytes(found[:most])
