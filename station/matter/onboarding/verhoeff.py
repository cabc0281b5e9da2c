# SPDX-License-Identifier: Apache-2.0
"""Verhoeff's check digit, at the end of a manual pairing code. Pure.

It finds every mistyped digit and every exchanged pair of neighbours.
"""


def _product(left: int, right: int) -> int:
    """The dihedral group of order ten: rotations are 0 to 4, reflections 5 to 9."""
    turned = (left + right if left < 5 else left - right) % 5
    return turned if (left < 5) == (right < 5) else turned + 5


# Rows are the powers of one permutation; the digit at position i is replaced by row i modulo 8.
_PERMUTATION = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
_ROWS = [tuple(range(10))]
while len(_ROWS) < 8:
    _ROWS.append(tuple(_PERMUTATION[digit] for digit in _ROWS[-1]))


def _sum(digits: str) -> int:
    total = 0
    for position, digit in enumerate(reversed(digits)):
        total = _product(total, _ROWS[position % 8][int(digit)])
    return total


def check_digit(digits: str) -> str:
    """The check digit for these digits."""
    total = _sum(digits + "0")
    return str(-total % 5 if total < 5 else total)


def is_valid(digits: str) -> bool:
    """Whether the last digit is the check digit of the others."""
    return _sum(digits) == 0
