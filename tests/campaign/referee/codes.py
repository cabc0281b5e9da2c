# SPDX-License-Identifier: Apache-2.0
"""Passcodes and what Matter makes of them, by the specification and without the station's code. Pure."""

import hashlib

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of the curve P-256


def verifier_of(passcode: int, salt: bytes, iterations: int) -> bytes:
    """The SPAKE2+ verifier: w0 and the point of w1."""
    both = hashlib.pbkdf2_hmac("sha256", passcode.to_bytes(4, "little"), salt, iterations, 80)
    w0, w1 = (int.from_bytes(half) % ORDER for half in (both[:40], both[40:]))
    point = ec.derive_private_key(w1, ec.SECP256R1()).public_key()
    return w0.to_bytes(32) + point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def manual_digits(passcode: int, discriminator: int) -> str:
    """The first ten digits of the manual pairing code, which hold the passcode; the eleventh is a check digit."""
    first = discriminator >> 10
    second = (passcode & 0x3FFF) | (discriminator & 0x300) << 6
    return f"{first:01}{second:05}{passcode >> 14:04}"
