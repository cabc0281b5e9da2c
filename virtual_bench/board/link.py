# SPDX-License-Identifier: Apache-2.0
"""The provisioning link's frames, from the board's side: `00`, COBS of body and CRC, `00`. Pure."""

import zlib
from collections.abc import Iterator

MAX_BODY = 1536
MAX_FRAME = MAX_BODY + 4 + 8  # with CRC, and COBS' overhead of one byte in 254
BLOCK = 254


def encode(body: bytes) -> bytes:
    """The frame for a body."""
    if not 2 <= len(body) <= MAX_BODY:
        raise ValueError(f"a body has 2 to {MAX_BODY} bytes, not {len(body)}")
    return b"\0" + _stuffed(body + zlib.crc32(body).to_bytes(4, "little")) + b"\0"


def decode(frame: bytes) -> bytes | None:
    """The body of a frame without its zeros; None if it is not a frame."""
    data = _unstuffed(frame)
    if data is None or not 6 <= len(data) <= MAX_BODY + 4:
        return None
    body, crc = data[:-4], data[-4:]
    return body if zlib.crc32(body).to_bytes(4, "little") == crc else None


class FrameReader:
    """Finds the bodies in a byte stream, in pieces of any size; skips bytes that are no frame."""

    def __init__(self) -> None:
        self._partial = b""

    def feed(self, data: bytes) -> list[bytes]:
        *ended, self._partial = (self._partial + data).split(b"\0")
        self._partial = self._partial[-MAX_FRAME:]
        return [body for frame in ended if (body := decode(frame)) is not None]


def _stuffed(data: bytes) -> bytes:
    return b"".join(_groups(data))


def _groups(data: bytes) -> Iterator[bytes]:
    for part in data.split(b"\0"):
        start = 0
        while len(part) - start >= BLOCK:
            yield b"\xff" + part[start : start + BLOCK]
            start += BLOCK
        yield bytes([len(part) - start + 1]) + part[start:]


def _unstuffed(data: bytes) -> bytes | None:
    plain, position = bytearray(), 0
    while position < len(data):
        code = data[position]
        group = data[position + 1 : position + code]
        if code == 0 or len(group) != code - 1:
            return None
        plain += group
        position += code
        if code != BLOCK + 1 and position < len(data):
            plain.append(0)
    return bytes(plain)


class Segments:
    """Cuts a board's output into whole frames, with their zeros, and the text between them; loses no byte."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> list[bytes]:
        self._held += data
        segments = []
        while self._held:
            end = self._held.find(b"\0", 1)
            if self._held[0]:  # text passes at once
                cut = end if end > 0 else len(self._held)
            elif end < 0 and len(self._held) > MAX_FRAME:  # too long for a frame, so this zero did not begin one
                cut = len(self._held)
            elif end < 0:
                break
            else:
                cut = end + 1 if end > 1 else 1  # two zeros in a row delimit no frame
            segments.append(self._held[:cut])
            self._held = self._held[cut:]
        return segments
