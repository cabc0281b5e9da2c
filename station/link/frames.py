# SPDX-License-Identifier: Apache-2.0
"""Frames of the provisioning link: 00, COBS(body, CRC-32), 00. Pure; pinned by tests/vectors/link/golden.json.

The CRC is CRC-32/ISO-HDLC, little-endian. Bytes that are no frame are noise, which is a value, too.
"""

import zlib
from dataclasses import dataclass

MAX_BODY = 1536  # type, number and payload together
_CRC = 4
MAX_FRAME = MAX_BODY + _CRC + (MAX_BODY + _CRC) // 254 + 1  # the largest body, encoded with COBS

_BLOCK = 254  # COBS: at most this many bytes between two code bytes


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes between two delimiters that are not a frame."""

    data: bytes


def encode(body: bytes) -> bytes:
    """One frame with its delimiters; `ValueError` for a body that is empty or longer than the link allows."""
    if not 0 < len(body) <= MAX_BODY:
        msg = f"a body has 1 to {MAX_BODY} bytes, not {len(body)}"
        raise ValueError(msg)
    return b"\0" + _stuffed(body + zlib.crc32(body).to_bytes(_CRC, "little")) + b"\0"


class FrameReader:
    """Cuts the UART's byte stream into frames, whatever sizes it arrives in."""

    def __init__(self) -> None:
        self._partial = b""

    def feed(self, data: bytes) -> list[bytes | Noise]:
        """The bodies of the frames that ended in `data`, and the noise around them, in order."""
        *ended, self._partial = (self._partial + data).split(b"\0")
        # no frame is that long: without this limit a board that sends endlessly fills memory
        if len(self._partial) > MAX_FRAME:
            ended.append(self._partial)
            self._partial = b""
        return [_decoded(raw) for raw in ended if raw]


def _stuffed(plain: bytes) -> bytes:
    out = bytearray()
    for block in plain.split(b"\0"):
        start = 0
        while len(block) - start >= _BLOCK:
            out += b"\xff" + block[start : start + _BLOCK]
            start += _BLOCK
        out.append(len(block) - start + 1)
        out += block[start:]
    return bytes(out)


def _decoded(raw: bytes) -> bytes | Noise:
    plain = bytearray()
    at = 0
    while at < len(raw):
        code = raw[at]
        block = raw[at + 1 : at + code]
        if len(block) != code - 1:
            return Noise(raw)
        plain += block
        at += code
        if code <= _BLOCK and at < len(raw):
            plain.append(0)
    body, crc = bytes(plain[:-_CRC]), plain[-_CRC:]
    if not 0 < len(body) <= MAX_BODY or zlib.crc32(body).to_bytes(_CRC, "little") != crc:
        return Noise(raw)
    return body
