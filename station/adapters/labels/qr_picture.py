# SPDX-License-Identifier: Apache-2.0
"""A QR code as SVG (segno, an extra of the package)."""

import io

from station.adapters.labels.extras import LibraryMissing

QUIET_ZONE = 4  # modules, as ISO/IEC 18004 asks for


def svg(text: str) -> bytes:
    """The QR code of this text, in its smallest version with error correction M or better."""
    try:
        import segno
    except ImportError as exc:
        raise LibraryMissing("segno") from exc
    file = io.BytesIO()
    segno.make_qr(text, error="m").save(file, kind="svg", border=QUIET_ZONE, scale=4, xmldecl=False)
    return file.getvalue()
