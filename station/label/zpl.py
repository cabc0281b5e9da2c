# SPDX-License-Identifier: Apache-2.0
"""A label in ZPL II, as Zebra's printers and many others' read it. Pure.

The printer makes the QR code itself (`^BQ`): a code that was sent as an image could be scaled by a driver. `^BQ` moves the
code down by the height that `^BY` has set, so that is 1, and the field's origin is one dot higher.
"""

from station.label.layout import Drawing

BAR_HEIGHT = 1
ESCAPE = "_"
_ESCAPED = frozenset("^~_")


def of(drawing: Drawing) -> bytes:
    """The commands of one print of this label, in ASCII."""
    lines = [
        "^XA",
        "^CI28",  # UTF-8
        f"^PW{drawing.width}",
        f"^LL{drawing.height}",
        "^LH0,0",
        f"^BY2,3,{BAR_HEIGHT}",
        f"^FO{drawing.qr_x},{drawing.qr_y - BAR_HEIGHT}^BQN,2,{drawing.module}^FH{ESCAPE}^FDMA,{_escaped(drawing.qr_code)}^FS",
    ]
    for text in drawing.texts:
        size = f"{text.height},{text.height}"
        lines.append(f"^FO{text.x},{text.y}^A0N,{size}^FH{ESCAPE}^FD{_escaped(text.text)}^FS")
    return "\n".join([*lines, "^PQ1", "^XZ", ""]).encode("ascii")


def _escaped(text: str) -> str:
    """The text with every byte that ZPL or a connection could take for something else in hexadecimal."""
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and chr(byte) not in _ESCAPED else f"{ESCAPE}{byte:02X}"
        for byte in text.encode()
    )
