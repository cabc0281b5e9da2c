# SPDX-License-Identifier: Apache-2.0
"""The quick arithmetic of P-256 against the arithmetic of any curve, which serves all other operands."""

import pytest

from virtual_bench.emulator import p256
from virtual_bench.emulator.curve import Curve, Point
from virtual_bench.emulator.p256 import GENERATOR, N, P

CURVE = Curve(P, -3)
SCALAR = 0x1234567890ABCDEF << 130 | 77
HASH = 0x9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08
TWICE = CURVE.multiply(2, GENERATOR)


def public() -> Point:
    point = CURVE.multiply(SCALAR, GENERATOR)
    assert point is not None
    return point


def signature(number: int, k: int = 0xC0FFEE << 200) -> tuple[int, int]:
    point = CURVE.multiply(k, GENERATOR)
    assert point is not None
    r = point[0] % N
    return r, pow(k, -1, N) * (number + r * SCALAR) % N


@pytest.mark.parametrize("k", [1, 2, SCALAR, N - 1])
def test_a_multiple_is_that_of_the_other_arithmetic(k: int) -> None:
    """The first, the last, and any other scalar."""
    assert p256.multiple(CURVE, k, GENERATOR) == CURVE.multiply(k, GENERATOR) is not None


@pytest.mark.parametrize(
    ("curve", "k", "point"),
    [
        (Curve(P - 2, -3), SCALAR, GENERATOR),
        (Curve(P, 3), SCALAR, GENERATOR),
        (CURVE, SCALAR, TWICE),
        (CURVE, 0, GENERATOR),
        (CURVE, N, GENERATOR),
    ],
)
def test_what_is_not_of_p256_is_left_to_the_other_arithmetic(curve: Curve, k: int, point: Point) -> None:
    """A misplaced operand must make the nonsense that it makes on silicon."""
    assert p256.multiple(curve, k, point) is None


@pytest.mark.parametrize("number", [0, HASH, N, 2**256 - 1])
@pytest.mark.parametrize("change", [0, 1])
def test_a_signature_is_verified(number: int, change: int) -> None:
    """Numbers up to the width of a hash, also above the curve's order."""
    r, s = signature(number)
    assert p256.verified(CURVE, GENERATOR, N, public(), (r, s ^ change), number) is not bool(change)


def test_what_openssl_would_refuse_is_left_to_the_other_arithmetic() -> None:
    """A point off the curve, another order, another generator, a number longer than a hash."""
    x, y = public()
    signed = signature(HASH)
    assert TWICE is not None
    assert p256.verified(CURVE, GENERATOR, N, (x, y ^ 1), signed, HASH) is None
    assert p256.verified(CURVE, GENERATOR, N - 2, (x, y), signed, HASH) is None
    assert p256.verified(CURVE, TWICE, N, (x, y), signed, HASH) is None
    assert p256.verified(CURVE, GENERATOR, N, (x, y), signed, HASH << 8) is None
