# SPDX-License-Identifier: Apache-2.0
"""Arithmetic on y² = x³ + ax + b over a prime field. Like an accelerator, it does not check its operands. Pure."""

from dataclasses import dataclass

Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Curve:
    """The field and a; b follows from any point."""

    p: int
    a: int

    def multiply(self, k: int, point: Point) -> Point | None:
        """k times the point; None at infinity."""
        x, y, z = 0, 1, 0
        for bit in f"{k:b}" if k > 0 else "":
            x, y, z = self._doubled(x, y, z)
            if bit == "1":
                x, y, z = self._added(x, y, z, point)
        return self._affine(x, y, z)

    def sum_of(self, first: Point | None, second: Point | None) -> Point | None:
        if first is None or second is None:
            return first or second
        return self._affine(*self._added(*first, 1, second))

    def _affine(self, x: int, y: int, z: int) -> Point | None:
        if z == 0:
            return None
        inverse = pow(z, -1, self.p)
        square = inverse * inverse
        return x * square % self.p, y * square * inverse % self.p

    def _doubled(self, x: int, y: int, z: int) -> tuple[int, int, int]:
        """In Jacobian coordinates."""
        p = self.p
        yy = y * y % p
        s = 4 * x * yy % p
        zz = z * z % p
        m = (3 * x * x + self.a * zz * zz) % p
        doubled = (m * m - 2 * s) % p
        return doubled, (m * (s - doubled) - 8 * yy * yy) % p, 2 * y * z % p

    def _added(self, x: int, y: int, z: int, point: Point) -> tuple[int, int, int]:
        p = self.p
        if z == 0:
            return *point, 1
        zz = z * z % p
        h = (point[0] * zz - x) % p
        r = (point[1] * zz * z - y) % p
        if h == 0:
            return self._doubled(x, y, z) if r == 0 else (0, 1, 0)
        hh = h * h % p
        v = x * hh % p
        hhh = h * hh
        added = (r * r - hhh - 2 * v) % p
        return added, (r * (v - added) - y * hhh) % p, h * z % p
