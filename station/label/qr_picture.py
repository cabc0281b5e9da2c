# SPDX-License-Identifier: Apache-2.0
"""A QR code by its modules, and as SVG (segno, an extra of the package). Pure."""

import io
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from station.label.extras import LibraryMissing

if TYPE_CHECKING:
    from segno import QRCode

QUIET_ZONE = 4  # modules, as ISO/IEC 18004 asks for


def svg(text: str) -> bytes:
    """The QR code of this text, in its smallest version with error correction M or better."""
    file = io.BytesIO()
    _made(text).save(file, kind="svg", border=QUIET_ZONE, scale=4, xmldecl=False)
    return file.getvalue()


def runs(text: str) -> Iterator[tuple[int, int, int]]:
    """The dark modules of this text's QR code as rows of neighbours: column and row of the first, and how many they are."""
    for y, row in enumerate(_made(text).matrix):
        x = 0
        for dark, modules in groupby(row):
            count = len(list(modules))
            if dark:
                yield x, y, count
            x += count


def _made(text: str) -> "QRCode":
    try:
        import segno
    except ImportError as exc:
        raise LibraryMissing("segno") from exc
    return segno.make_qr(text, error="m")
