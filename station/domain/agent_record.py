# SPDX-License-Identifier: Apache-2.0
"""The provisioning agent's record on a board, as far as the station reads it: does the board have a key from a station? Pure.

The layout is that of `firmware_images/source/agent/key.c`: magic (4), key storage (1), three unused bytes, CRC-32 of the
public key (4), four unused bytes, public key (65). The private key may follow from byte 88 on; the station never reads it.
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
    """The name of the key that the record holds (`credentials.key_name`); None if there is no whole record.

    The agent, too, ignores a record whose CRC is wrong, and writes a new one.
    """
    public_key = head[PUBLIC_AT : PUBLIC_AT + PUBLIC_SIZE]
    check = int.from_bytes(head[CHECK_AT : CHECK_AT + 4], "little")
    if not head.startswith(MAGIC) or len(public_key) != PUBLIC_SIZE or zlib.crc32(public_key) != check:
        return None
    try:
        return key_name(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key))
    except ValueError:
        return None  # not a point of the curve, so no key
