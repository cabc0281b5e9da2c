# SPDX-License-Identifier: Apache-2.0
"""A label as a PDF page of its own size (reportlab, an extra of the package). Pure: the same label is the same bytes."""

import io
from importlib.util import find_spec

from station.label import qr_picture
from station.label.extras import LibraryMissing
from station.label.layout import Drawing

POINTS = 72  # an inch
FONT = "Helvetica-Bold"  # every reader has it


def available() -> bool:
    """Whether the libraries are there, so that nothing is counted as printed that cannot be drawn."""
    return all(find_spec(name) is not None for name in ("reportlab", "segno"))


def of(drawing: Drawing) -> bytes:
    """One page, whose QR code is made of rectangles and can be printed in any resolution."""
    try:
        from reportlab.pdfgen.canvas import Canvas
    except ImportError as exc:
        raise LibraryMissing("reportlab") from exc
    scale = POINTS / drawing.dpi
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=(drawing.width * scale, drawing.height * scale), invariant=1, pageCompression=0)
    canvas.scale(scale, scale)
    for x, y, count in qr_picture.runs(drawing.qr_code):
        left, top = drawing.qr_x + x * drawing.module, drawing.qr_y + y * drawing.module
        bottom = drawing.height - top - drawing.module
        canvas.rect(left, bottom, count * drawing.module, drawing.module, stroke=0, fill=1)
    for text in drawing.texts:
        canvas.setFont(FONT, text.height)
        canvas.drawString(text.x, drawing.height - text.y - round(text.height * 0.8), text.text)
    canvas.showPage()
    canvas.save()
    return file.getvalue()
