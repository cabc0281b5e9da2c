# SPDX-License-Identifier: Apache-2.0
"""P-256 by OpenSSL, which takes a fiftieth of this package's own arithmetic. Pure.

Only operands that are exactly those of P-256 come here; each function returns None for any others, which belong to
`curve`.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from virtual_bench.emulator.curve import Curve, Point

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
GENERATOR = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
HASH_SIZE = 32
_ALGORITHM = ec.ECDSA(Prehashed(hashes.SHA256()))


def multiple(curve: Curve, k: int, point: Point) -> Point | None:
    """k times the generator."""
    if not _is_p256(curve, point) or not 0 < k < N:
        return None
    found = ec.derive_private_key(k, ec.SECP256R1()).public_key().public_numbers()
    return found.x, found.y


def verified(
    curve: Curve, generator: Point, order: int, public: Point, signature: tuple[int, int], number: int
) -> bool | None:
    """Whether r and s sign a hash, given as a number, by the key of that public point."""
    if not _is_p256(curve, generator) or order != N or number >> 8 * HASH_SIZE:
        return None
    try:
        key = ec.EllipticCurvePublicNumbers(*public, ec.SECP256R1()).public_key()
    except ValueError:  # the point is not on the curve
        return None
    try:
        key.verify(encode_dss_signature(*signature), number.to_bytes(HASH_SIZE), _ALGORITHM)
    except InvalidSignature:
        return False
    return True


def _is_p256(curve: Curve, generator: Point) -> bool:
    return curve.p == P and (curve.a + 3) % P == 0 and generator == GENERATOR
