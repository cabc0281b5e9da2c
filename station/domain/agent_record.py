# SPDX-License-Identifier: Apache-2.0
"""Reads the public key in the provisioning agent's record, by which the station recognises a board that has a key. Pure.

Layout, in bytes, from `firmware_images/source/agent/key.c`: magic (4), key storage (1), padding (3), CRC-32 of the public
key (4), padding (4), public key (65). The private key may follow from byte 88 on; the station never reads it.
"""

import zlib

from cryptography.hazmat.primitives.asymmetric import ec

from station.domain.credentials import key_name
from station.domain.memory_map import AGENT_RECORD
from station.domain.target import Region

RECORD_HEAD = Region(AGENT_RECORD.address, 84)  # the bytes up to the public key's end, in whole words

MAGIC = b"MPA1"
CHECK_AT, PUBLIC_AT, PUBLIC_SIZE = 8, 16, 65


def recorded_key(head: bytes) -> str | None:
    """The name of the key in the record's head (`credentials.key_name`); None if the record is missing or damaged.

    The agent, too, ignores a record with a wrong CRC, and writes a new one.
    """
    public_key = head[PUBLIC_AT : PUBLIC_AT + PUBLIC_SIZE]
    check = int.from_bytes(head[CHECK_AT : CHECK_AT + 4], "little")
    if not head.startswith(MAGIC) or len(public_key) != PUBLIC_SIZE or zlib.crc32(public_key) != check:
        return None
    try:
        return key_name(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key))
    except ValueError:
        return None  # not a point on the curve, so nobody has this key
