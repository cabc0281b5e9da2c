# SPDX-License-Identifier: Apache-2.0
"""The provisioning agent's record tells whether a station has had a key made on the board."""

import zlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from station.domain.agent_record import PUBLIC_AT, PUBLIC_SIZE, RECORD_HEAD, recorded_key
from station.domain.credentials import key_name
from station.domain.memory_map import AGENT_RECORD
from tests.builders.agent_records import record_of

KEY = ec.derive_private_key(7, ec.SECP256R1()).public_key()
HEAD = record_of(KEY)[: RECORD_HEAD.size]
PRIVATE_AT = 88


@pytest.mark.parametrize("storage", [0, 1, 2])
def test_a_record_tells_its_key(storage: int) -> None:
    """The public key is found for every place of the private key, also for one that only a later agent uses."""
    assert recorded_key(record_of(KEY, storage)[: RECORD_HEAD.size]) == key_name(KEY)


def test_no_byte_of_the_private_key_is_read() -> None:
    """The range to read is whole words and ends with the public key."""
    assert AGENT_RECORD.holds(RECORD_HEAD)
    assert PUBLIC_AT + PUBLIC_SIZE <= RECORD_HEAD.size < PRIVATE_AT
    assert RECORD_HEAD.size % 4 == 0


@pytest.mark.parametrize("page", [b"\xff" * 84, bytes(84), b"", b"MPA1", HEAD[:80]])
def test_where_no_whole_record_stands_is_no_key(page: bytes) -> None:
    """The record is erased, overwritten by a firmware, or truncated."""
    assert recorded_key(page) is None


MEANINGLESS = {*range(4, 8), *range(12, 16), *range(81, 84)}  # key storage, and bytes between the fields


@pytest.mark.parametrize("at", sorted(set(range(len(HEAD))) - MEANINGLESS))
def test_a_spoiled_record_is_none(at: int) -> None:
    """The agent would make a new key over a spoiled record, too."""
    assert recorded_key(HEAD[:at] + bytes([HEAD[at] ^ 1]) + HEAD[at + 1 :]) is None


def test_a_key_that_nobody_can_have_is_none() -> None:
    """The record's CRC fits, but its key is not a point of the curve."""
    nowhere = b"\x04" + bytes(64)
    check = zlib.crc32(nowhere).to_bytes(4, "little")
    assert recorded_key(HEAD[:8] + check + HEAD[12:16] + nowhere + HEAD[81:]) is None
