# SPDX-License-Identifier: Apache-2.0
"""The events of the stream as bytes: how one is written, which are kept, and which a listener has missed. Pure."""

import json
from collections import deque

from pydantic import BaseModel

KEPT = 4096


def framed(event: str, data: BaseModel | dict[str, object], number: str | None = None) -> bytes:
    """One event as server-sent events have it."""
    text = data.model_dump_json() if isinstance(data, BaseModel) else json.dumps(data, separators=(",", ":"))
    head = f"id: {number}\n" if number else ""
    return f"{head}event: {event}\ndata: {text}\n\n".encode()


class Kept:
    """The numbered events of one boot of the daemon, the last of them with their bytes."""

    def __init__(self, boot: str) -> None:
        self._boot = boot
        self._number = 0
        self._frames = deque[bytes](maxlen=KEPT)

    @property
    def id(self) -> str:
        """The name of the event that came last."""
        return f"{self._boot}-{self._number}"

    def add(self, event: str, data: BaseModel | dict[str, object]) -> bytes:
        """Numbers an event, keeps it and returns its bytes."""
        self._number += 1
        frame = framed(event, data, self.id)
        self._frames.append(frame)
        return frame

    def after(self, known: str | None) -> list[bytes] | None:
        """The events that followed the one that the listener knows; None if they are not all kept, or of another boot."""
        boot, _, text = (known or "").partition("-")
        if boot != self._boot or not text.isascii() or not text.isdecimal() or len(text) > len(str(self._number)):
            return None
        missed = self._number - int(text)
        if not 0 <= missed <= len(self._frames):
            return None
        return list(self._frames)[len(self._frames) - missed :]
