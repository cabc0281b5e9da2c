# SPDX-License-Identifier: Apache-2.0
"""The bench's own frame codec, pinned by the link's golden bytes."""

import json
from pathlib import Path

import pytest

from virtual_bench.board.link import MAX_BODY, FrameReader, Segments, decode, encode

GOLDEN = json.loads((Path(__file__).parents[1] / "vectors" / "link" / "golden.json").read_text())["frames"]


def body(vector: dict[str, str]) -> bytes:
    return bytes.fromhex(vector["type"]) + bytes([int(vector["number"])]) + bytes.fromhex(vector["payload"])


@pytest.mark.parametrize("vector", GOLDEN, ids=lambda vector: vector["name"])
def test_golden_frames_are_written(vector: dict[str, str]) -> None:
    """The bench writes the golden frames byte for byte."""
    assert encode(body(vector)).hex() == vector["frame"]


@pytest.mark.parametrize("vector", GOLDEN, ids=lambda vector: vector["name"])
def test_golden_frames_are_read_one_byte_at_a_time(vector: dict[str, str]) -> None:
    """Each frame is read once, at its last byte."""
    reader = FrameReader()
    read = [reader.feed(bytes([byte])) for byte in bytes.fromhex(vector["frame"])]
    assert [found for found in read if found] == [[body(vector)]]


def test_no_flipped_bit_makes_another_body() -> None:
    """The CRC finds each flipped bit."""
    frame = encode(b"\x04\x09" + bytes(32))[1:-1]
    for bit in range(8 * len(frame)):
        flipped = bytearray(frame)
        flipped[bit // 8] ^= 1 << bit % 8
        assert decode(bytes(flipped)) is None


def test_noise_around_frames_is_skipped() -> None:
    """A delimiter must come between noise and frame."""
    frame = encode(b"\x01\x01")
    assert FrameReader().feed(b"boot\r\n" + frame + b"\x55\xaa" + frame + b"\x07") == [b"\x01\x01"] * 2


def test_a_reader_forgets_what_no_frame_can_be() -> None:
    """The reader's buffer is bounded, and the next frame is read."""
    reader = FrameReader()
    assert reader.feed(b"x" * 100_000) == []
    assert reader.feed(encode(b"\x01\x01")) == [b"\x01\x01"]


@pytest.mark.parametrize("size", [1, MAX_BODY + 1])
def test_a_body_has_its_limits(size: int) -> None:
    """A body has at least type and number, and at most 1,536 bytes."""
    with pytest.raises(ValueError, match="a body has"):
        encode(bytes(size))


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_segments_lose_no_byte_and_keep_frames_whole(step: int) -> None:
    """Text passes at once, a frame when it is complete."""
    frame = encode(b"\x81\x00hello\0")
    said = b"operational\r\n" + frame + frame + b"\0" + frame[:3] + b"x" * 2000 + frame + b"more text"
    segments = Segments()
    cut = [segment for at in range(0, len(said), step) for segment in segments.feed(said[at : at + step])]
    assert b"".join(cut) == said
    assert cut.count(frame) == 3
