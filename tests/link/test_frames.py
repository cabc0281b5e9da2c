# SPDX-License-Identifier: Apache-2.0
"""The frame codec: pinned by golden bytes, and tested with every kind of noise."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.link.frames import MAX_BODY, MAX_FRAME, FrameReader, Noise, encode

GOLDEN = json.loads((Path(__file__).parents[1] / "vectors" / "link" / "golden.json").read_text())["frames"]
BODY = bytes.fromhex("8101") + bytes(range(256))


def golden_body(vector: dict[str, str | int]) -> bytes:
    return bytes.fromhex(str(vector["type"])) + bytes([int(vector["number"])]) + bytes.fromhex(str(vector["payload"]))


@pytest.mark.parametrize("vector", GOLDEN, ids=lambda vector: vector["name"])
def test_frames_are_the_golden_bytes(vector: dict[str, str | int]) -> None:
    """Encoding gives the pinned frame, decoding the pinned body."""
    frame = bytes.fromhex(str(vector["frame"]))
    assert encode(golden_body(vector)) == frame
    assert FrameReader().feed(frame) == [golden_body(vector)]


@given(st.binary(min_size=1, max_size=MAX_BODY))
def test_every_body_survives_the_wire(body: bytes) -> None:
    """Every body decodes to itself, and its frame has no delimiter inside."""
    frame = encode(body)
    assert frame[:1] == frame[-1:] == b"\0"
    assert b"\0" not in frame[1:-1]
    assert len(frame) <= MAX_FRAME + 2
    assert FrameReader().feed(frame) == [body]


def test_a_frame_may_arrive_one_byte_at_a_time() -> None:
    """The sizes of reads do not matter."""
    reader = FrameReader()
    assert [body for byte in encode(BODY) for body in reader.feed(bytes([byte]))] == [BODY]


def test_noise_around_frames_is_told_and_skipped() -> None:
    """Noise before, between and after frames is reported, and costs no frame."""
    wire = b"boot: ok\r\n" + encode(BODY) + b"assertion failed\r\n" + encode(b"\x82\x02") + b"tail\0"
    assert FrameReader().feed(wire) == [
        Noise(b"boot: ok\r\n"),
        BODY,
        Noise(b"assertion failed\r\n"),
        b"\x82\x02",
        Noise(b"tail"),
    ]


def test_no_flipped_bit_makes_another_body() -> None:
    """A frame with any single bit error is noise, or splits into noise; it never decodes to another body."""
    frame = encode(BODY)
    for bit in range(8, 8 * (len(frame) - 1)):
        broken = bytearray(frame)
        broken[bit // 8] ^= 1 << bit % 8
        assert not [found for found in FrameReader().feed(bytes(broken)) if not isinstance(found, Noise)]


def test_noise_inside_a_frame_costs_that_frame_only() -> None:
    """The next frame is read correctly."""
    frame = encode(BODY)
    assert FrameReader().feed(frame[:40] + b"\0junk" + frame[40:] + frame)[-1] == BODY


def test_a_chattering_board_does_not_fill_memory() -> None:
    """The reader drops bytes without a delimiter once they are too long for a frame."""
    reader = FrameReader()
    chatter = [noise for _ in range(100) for noise in reader.feed(b"x" * 1000)]
    assert sum(len(noise.data) for noise in chatter if isinstance(noise, Noise)) >= 100_000 - MAX_FRAME - 1000
    assert reader.feed(b"\0" + encode(BODY))[-1] == BODY


def test_random_bytes_are_only_ever_noise() -> None:
    """A million seeded random bytes contain no frame that passes the CRC."""
    wire = random.Random(1).randbytes(1_000_000)
    assert all(isinstance(found, Noise) for found in FrameReader().feed(wire))


@pytest.mark.parametrize("size", [0, MAX_BODY + 1])
def test_a_body_that_the_link_cannot_carry_is_refused(size: int) -> None:
    """Such a body is a mistake of the caller, not of the wire."""
    with pytest.raises(ValueError, match="1536"):
        encode(bytes(size))
