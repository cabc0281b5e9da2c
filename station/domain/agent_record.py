# SPDX-License-Identifier: Apache-2.0
"""The provisioning agent's record on a board, as far as the station reads it: whether a station has given the board a key. Pure.

The layout is that of `firmware_images/source/agent/key.c`: magic (4), key storage (1), three bytes without meaning, CRC-32 of the
public key (4), four bytes without meaning, public key (65). The private key may stand from byte 88 on and is never read.
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
    """The name of the key that the record holds (`credentials.key_name`); None where no whole record stands.

    The agent itself takes a record for none, and writes a new one, if its CRC does not fit.
    """
    public_key = head[PUBLIC_AT : PUBLIC_AT + PUBLIC_SIZE]
    check = int.from_bytes(head[CHECK_AT : CHECK_AT + 4], "little")
    if not head.startswith(MAGIC) or len(public_key) != PUBLIC_SIZE or zlib.crc32(public_key) != check:
        return None
    try:
        return key_name(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key))
    except ValueError:
        return None  # no point of the curve: nobody has this key
