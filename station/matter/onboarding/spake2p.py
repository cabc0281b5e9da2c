# SPDX-License-Identifier: Apache-2.0
"""SPAKE2+ verifiers, with which a unit checks a passcode without storing it. Pure.

Matter Core Specification 3.10; stored as w0 (32 bytes, big-endian) and the point L (65, uncompressed).
"""

import hashlib
import hmac
import secrets

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from station.faults.unit import VerifierWrong
from station.matter.onboarding.passcode import Passcode

ITERATIONS = range(1_000, 100_001)
SALT_SIZES = range(16, 33)
VERIFIER_SIZE = 97
_W_SIZE = 40  # 8 bytes more than the curve's order has, so that the remainder is nearly uniform
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # FIPS 186-4, D.1.2.3


def random_salt() -> bytes:
    """A salt of the greatest length."""
    return secrets.token_bytes(SALT_SIZES[-1])


def verifier(passcode: Passcode, salt: bytes, iterations: int) -> bytes:
    """The verifier's 97 bytes for this passcode; takes milliseconds on purpose. `ValueError` beyond Matter's limits."""
    if len(salt) not in SALT_SIZES or iterations not in ITERATIONS:
        raise ValueError("a salt has 16 to 32 bytes, and there are 1000 to 100000 iterations")
    password = passcode.value.to_bytes(4, "little")
    ws = hashlib.pbkdf2_hmac("sha256", password, salt, iterations, 2 * _W_SIZE)
    w0, w1 = (int.from_bytes(w, "big") % _P256_ORDER for w in (ws[:_W_SIZE], ws[_W_SIZE:]))
    point = ec.derive_private_key(w1, ec.SECP256R1()).public_key()
    return w0.to_bytes(32, "big") + point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def check_form(found: bytes) -> None:
    """Refuses with `VerifierWrong` bytes that are no passcode's verifier."""
    w0, point = int.from_bytes(found[:32], "big"), found[32:]
    if len(found) != VERIFIER_SIZE or not 0 < w0 < _P256_ORDER:
        raise VerifierWrong("its first part is no number of the curve")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError as exc:
        raise VerifierWrong("its second part is no point on the curve") from exc


def check_verifier(found: bytes, passcode: Passcode, salt: bytes, iterations: int) -> None:
    """Refuses with `VerifierWrong` unless `found` is the verifier of the label's passcode.

    Salt and iterations are those beside it on the board.
    """
    if len(salt) not in SALT_SIZES or iterations not in ITERATIONS:
        raise VerifierWrong("salt or iteration count is beyond Matter's limits")
    if not hmac.compare_digest(found, verifier(passcode, salt, iterations)):
        raise VerifierWrong("it is not the one that the label's passcode gives")
