# SPDX-License-Identifier: Apache-2.0
"""Where everything lies on a label: decided once for all units of a recipe, in whole dots of its printer. Pure.

The QR code is on the left with its quiet zone, the text on the right. Every line has room for the longest text that any
unit may bring, so what fits once fits always.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from station.domain.label_data import LabelData
from station.label import letters

MODULES = 25  # of a QR code of version 2, as every Matter unit's standard payload needs with error correction M
QUIET_ZONE = 4  # modules, as ISO/IEC 18004 asks for
SMALLEST_MODULE, LARGEST_MODULE = 0.25, 1.0  # mm
MOST_DOTS = 10  # a module's dots, which every printer can do
SMALLEST_TEXT, LARGEST_TEXT = 1.5, 4.0  # mm
LINE = 1.2  # heights of a letter from one line to the next
MARGIN = 1.0  # mm
MILLIMETRES = 25.4  # an inch
ORDER = "W/O "
SHORTEST_ORDER = 10  # digits of a work order's number, for which every label with that line has room
COPIES = 99  # what the room for the number of a copy is made for


class Field(StrEnum):
    """One line of text. The values are in recipes."""

    PRODUCT_NAME = "product_name"
    SERIAL_NUMBER = "serial_number"
    MANUAL_CODE = "manual_code"
    VID_PID = "vid_pid"
    COPY = "copy"
    """Empty on the first print."""
    WORK_ORDER = "work_order"
    """Empty on a unit of a recipe's lot."""


USUAL = tuple(field for field in Field if field is not Field.WORK_ORDER)
"""The lines of a recipe that names none."""


class LabelUnfit(ValueError):
    """The label has no room for all that it should show; `args` are the mistakes, one for each field."""


@dataclass(frozen=True, slots=True)
class Text:
    """One line: its upper left corner, and the height and the greatest width of its letters."""

    x: int
    y: int
    height: int
    width: int
    text: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """One label in dots. The QR code's corner is that of its first dark module; around it is the quiet zone."""

    width: int
    height: int
    dpi: int
    qr_x: int
    qr_y: int
    module: int
    qr_code: str
    texts: Sequence[Text]

    def __repr__(self) -> str:
        return f"Drawing({self.width} x {self.height} dots)"  # the rest is secret


@dataclass(frozen=True, slots=True)
class Size:
    """A label's width and height in millimetres, and its printer's resolution."""

    width_mm: float
    height_mm: float
    dpi: int

    def dots(self, millimetres: float) -> int:
        return round(millimetres * self.dpi / MILLIMETRES)


@dataclass(frozen=True, slots=True)
class Layout:
    """What all labels of a recipe share."""

    width: int
    height: int
    dpi: int
    module: int
    qr_y: int
    text_x: int
    text_width: int
    text_height: int
    fields: Sequence[Field]
    product_name: str

    @classmethod
    def of(cls, size: Size, fields: Sequence[Field], product_name: str, last_serial_number: str) -> "Layout":
        """The layout with the largest QR code and then the largest text that fit; raises `LabelUnfit`."""
        width, height, edge = size.dots(size.width_mm), size.dots(size.height_mm), size.dots(MARGIN)
        module = _module(size, height)
        text_x = (MODULES + 2 * QUIET_ZONE) * module
        if text_x > width:
            raise LabelUnfit(f"qr_code: it is {text_x} dots wide, and the label {width}")
        room = _Room(size, width - text_x - edge, height - 2 * edge)
        longest = {
            field: text_of(
                field,
                product_name,
                last_serial_number,
                "0" * 11,
                (0xFFFF, 0xFFFF),
                COPIES,
                "0" * SHORTEST_ORDER,
            )
            for field in fields
        }
        text_height = room.text_height(longest)
        qr_y = (height - MODULES * module) // 2
        return cls(width, height, size.dpi, module, qr_y, text_x, room.width, text_height, tuple(fields), product_name)

    def drawing(self, data: LabelData, copy: int) -> Drawing:
        """One unit's label. Copy 1 is its first print. `ValueError` for text that is longer than was planned."""
        line = round(self.text_height * LINE)
        top = (self.height - line * len(self.fields)) // 2
        ids = data.vendor_id, data.product_id
        texts = []
        for number, field in enumerate(self.fields):
            order, height = letters.known(data.work_order or ""), self.text_height
            text = text_of(field, self.product_name, data.serial_number, data.manual_code, ids, copy, order)
            wide = letters.width(text, height)
            if wide > self.text_width and field is Field.WORK_ORDER:
                height = max(1, int(height * self.text_width / wide))  # the lot is older than the recipe's line for it
            elif wide > self.text_width:
                raise ValueError(f"{field.value} is wider than the label has room for")
            if text:
                texts.append(Text(self.text_x, top + number * line, height, self.text_width, text))
        x = QUIET_ZONE * self.module
        return Drawing(self.width, self.height, self.dpi, x, self.qr_y, self.module, data.qr_code, texts)

    def check_work_order(self, number: str) -> None:
        """Raises `LabelUnfit` if the labels have a line for the work order's number, and no room or letters for this one."""
        if Field.WORK_ORDER not in self.fields:
            return
        if missing := letters.unknown(number):
            raise LabelUnfit(f"no printer's own font surely has {missing!a}")
        wide = letters.width(f"{ORDER}{number}", self.text_height)
        if wide > self.text_width:
            raise LabelUnfit(f"it needs {wide:.0f} dots, and there are {self.text_width} beside the QR code")


@dataclass(frozen=True, slots=True)
class _Room:
    """The room for text, in dots."""

    size: Size
    width: int
    height: int

    def text_height(self, longest: dict[Field, str]) -> int:
        """The height of the letters; raises `LabelUnfit`, which names the fields that do not fit."""
        smallest = max(1, self.size.dots(SMALLEST_TEXT))
        mistakes = []
        for number, (field, text) in enumerate(longest.items(), 1):
            if missing := letters.unknown(text):
                mistakes.append(f"{field.value}: no printer's own font surely has {missing!a}")
            elif (needed := letters.width(text, smallest)) > self.width:
                mistakes.append(
                    f"{field.value}: {text!a} does not fit: it needs {self._mm(needed)} mm at the least, and there are "
                    f"{self._mm(max(self.width, 0))} mm beside the QR code"
                )
            elif round(smallest * LINE) * number > self.height:
                mistakes.append(f"{field.value}: line {number} does not fit: the label is too low")
        if mistakes:
            raise LabelUnfit(*mistakes)
        heights = range(self.size.dots(LARGEST_TEXT), smallest, -1)
        return next((height for height in heights if self._fits(longest, height)), smallest)

    def _fits(self, longest: dict[Field, str], height: int) -> bool:
        low = round(height * LINE) * len(longest) <= self.height
        return low and all(letters.width(text, height) <= self.width for text in longest.values())

    def _mm(self, dots: float) -> str:
        return f"{dots * MILLIMETRES / self.size.dpi:.1f}"


def text_of(
    field: Field,
    product_name: str,
    serial_number: str,
    manual_code: str,
    ids: tuple[int, int],
    copy: int,
    work_order: str,
) -> str:
    """What this line says."""
    match field:
        case Field.PRODUCT_NAME:
            return product_name
        case Field.SERIAL_NUMBER:
            return f"S/N {serial_number}"
        case Field.MANUAL_CODE:
            return f"{manual_code[:4]}-{manual_code[4:7]}-{manual_code[7:11]}"
        case Field.VID_PID:
            return f"VID {ids[0]:04X} PID {ids[1]:04X}"
        case Field.COPY:
            return f"copy {copy}" if copy > 1 else ""
        case Field.WORK_ORDER:
            return f"{ORDER}{work_order}" if work_order else ""


def _module(size: Size, height: int) -> int:
    """Dots of one module of the QR code: as many as the label's height has room for."""
    across = MODULES + 2 * QUIET_ZONE
    module = min(height // across, MOST_DOTS, max(1, size.dots(LARGEST_MODULE)))
    if module * MILLIMETRES / size.dpi < SMALLEST_MODULE:
        least = across * SMALLEST_MODULE
        raise LabelUnfit(
            f"qr_code: with its quiet zone it needs {least:.1f} mm at the least, in whole dots of {size.dpi} dpi, and "
            f"the label is {size.height_mm:g} mm high"
        )
    return module
