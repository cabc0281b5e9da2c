# SPDX-License-Identifier: Apache-2.0
"""The agent's record as its C code writes it (`firmware_images/source/agent/key.c`)."""

import struct
import zlib

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def record_of(key: ec.EllipticCurvePublicKey, storage: int = 0, private_key: bytes = b"\x5e" * 32) -> bytes:
    """The 136 bytes of a record: head, check, public key, and the private key as in flash mode before STORE."""
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return b"".join(
        (
            struct.pack("<4sB3s", b"MPA1", storage, b"\xff" * 3),
            struct.pack("<I4s", zlib.crc32(point), b"\xff" * 4),
            point.ljust(72, b"\xff"),
            private_key,
            struct.pack("<I4s", zlib.crc32(private_key), b"\xff" * 4),
            b"\xff" * 8,
        )
    )
