# SPDX-License-Identifier: Apache-2.0
"""A label as SVG, to be looked at before it is printed. Pure."""

from xml.sax.saxutils import escape

from station.label import letters, qr_picture
from station.label.layout import MILLIMETRES, Drawing


def of(drawing: Drawing) -> bytes:
    """The label in its own size; a unit of the picture is a dot. Every text has its planned width in any font."""
    across, down = (dots * MILLIMETRES / drawing.dpi for dots in (drawing.width, drawing.height))
    view = f"0 0 {drawing.width} {drawing.height}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across:.2f}mm" height="{down:.2f}mm" viewBox="{view}">',
        f'<rect width="{drawing.width}" height="{drawing.height}" fill="#fff"/>',
        f'<path fill="#000" shape-rendering="crispEdges" d="{_modules(drawing)}"/>',
    ]
    for text in drawing.texts:
        width = letters.width(text.text, text.height)
        lines.append(
            f'<text x="{text.x}" y="{text.y + round(text.height * 0.8)}" font-size="{text.height}" '
            f'font-family="Helvetica,Arial,sans-serif" font-weight="bold" textLength="{width:.1f}" '
            f'lengthAdjust="spacingAndGlyphs">{escape(text.text)}</text>'
        )
    return "".join([*lines, "</svg>"]).encode()


def _modules(drawing: Drawing) -> str:
    return "".join(
        f"M{drawing.qr_x + x * drawing.module} {drawing.qr_y + y * drawing.module}"
        f"h{count * drawing.module}v{drawing.module}h-{count * drawing.module}z"
        for x, y, count in qr_picture.runs(drawing.qr_code)
    )
