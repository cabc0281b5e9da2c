# SPDX-License-Identifier: Apache-2.0
"""Labels: their bytes stay as they are, what fits once fits always, and others read the codes from each form."""

from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from PIL import ImageOps

from station.domain.label_data import LabelData
from station.domain.target import UID
from station.label import letters, zpl
from station.label.drawn import Form, drawn
from station.label.layout import QUIET_ZONE, USUAL, Drawing, Field, LabelUnfit, Layout, Size
from station.label.plan import Folder, LabelPlan, Queue, TCPPrinter, printer
from station.matter.onboarding.codes import OnboardingPayload
from station.matter.onboarding.passcode import Discriminator, Passcode
from tests.label.drawn_labels import codes_in, of_pdf, of_svg, of_zpl

VECTORS = Path(__file__).with_name("vectors")
SIZES = (Size(50, 25, 203), Size(57, 32, 300), Size(40, 20, 600))
WITH_ORDER = tuple(Field)


def data(number: int = 1) -> LabelData:
    payload = OnboardingPayload(0xFFF1, 0x8004, Discriminator(3840 + number), Passcode(20202021 + number))
    return LabelData.of(UID(number.to_bytes(12, "big")), f"LT26{number:08d}", payload)


def layout(size: Size = SIZES[0], name: str = "Café ^lamp_", fields: tuple[Field, ...] = USUAL) -> Layout:
    return Layout.of(size, fields, name, "LT2600001000")


def drawing(size: Size = SIZES[0], number: int = 1, copy: int = 2) -> Drawing:
    return layout(size).drawing(data(number), copy)


@pytest.mark.parametrize("form", Form)
def test_a_label_is_the_same_bytes_each_time(form: Form) -> None:
    """A change of the bytes is a change of every label that is printed from now on: look at it before it is accepted."""
    assert drawn(drawing(), form) == (VECTORS / f"label.{form.value}").read_bytes()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_qr_code_is_read_from_pdf_and_svg(size: Size) -> None:
    for number in range(1, 4):
        made = drawing(size, number)
        assert codes_in(of_pdf(drawn(made, Form.PDF), size.dpi)) == [data(number).qr_code]
        assert codes_in(of_svg(drawn(made, Form.SVG), size.dpi)) == [data(number).qr_code]


@pytest.mark.commissioning
@pytest.mark.parametrize(("size", "dots"), list(zip(SIZES, (8, 12, 24), strict=True)), ids=str)
def test_the_qr_code_is_read_from_zpl_as_another_program_draws_it(size: Size, dots: int) -> None:
    """Code and texts lie where the layout has them: the quiet zone is white, and no text leaves its room."""
    made = [drawing(size, number) for number in (1, 2)]
    pictures = of_zpl([zpl.of(each) for each in made], made[0].width / dots, made[0].height / dots, dots)
    for number, (picture, each) in enumerate(zip(pictures, made, strict=True), 1):
        assert codes_in(picture) == [data(number).qr_code]
        code_ends = each.qr_x + 25 * each.module
        ink = ImageOps.invert(picture.crop((0, 0, code_ends + QUIET_ZONE * each.module, picture.height))).getbbox()
        assert ink == (each.qr_x, each.qr_y, code_ends, each.qr_y + 25 * each.module)
        for text in each.texts:
            line = picture.crop((text.x, text.y, picture.width, text.y + text.height))
            _, _, right, _ = ImageOps.invert(line).getbbox() or (0, 0, 0, 0)
            assert 0 < right <= letters.width(text.text, text.height) + 1


def test_the_quiet_zone_is_kept_on_all_sides() -> None:
    for size in SIZES:
        made = drawing(size)
        zone, across = QUIET_ZONE * made.module, 25 * made.module
        assert made.qr_x >= zone <= made.qr_y
        assert made.height - made.qr_y - across >= zone
        assert all(text.x >= made.qr_x + across + zone for text in made.texts)
        assert all(text.y >= 0 and text.y + text.height <= made.height for text in made.texts)


def test_what_the_label_says() -> None:
    """The first print has no number."""
    assert [text.text for text in drawing(copy=1).texts] == [
        "Café ^lamp_",
        "S/N LT2600000001",
        data().manual_code[:4] + "-" + data().manual_code[4:7] + "-" + data().manual_code[7:],
        "VID FFF1 PID 8004",
    ]
    assert drawing(copy=3).texts[-1].text == "copy 3"
    assert [text.text for text in layout(fields=(Field.SERIAL_NUMBER,)).drawing(data(), 2).texts] == [
        "S/N LT2600000001"
    ]


def test_a_label_may_show_the_work_order() -> None:
    """Only where the layout names it; a unit of a recipe's lot has none."""
    ordered = replace(data(), work_order="4711-A")
    assert [text.text for text in layout(fields=WITH_ORDER).drawing(ordered, 1).texts][-1] == "W/O 4711-A"
    assert not [text for text in layout(fields=WITH_ORDER).drawing(data(), 1).texts if "W/O" in text.text]
    assert not [text for text in layout().drawing(ordered, 1).texts if "W/O" in text.text]


def test_a_work_order_that_no_label_can_show_is_refused() -> None:
    """Where labels show it; one of ten digits always fits."""
    planned = layout(fields=WITH_ORDER)
    planned.check_work_order("0" * 10)
    for number, told in (("W" * 64, "beside the QR code"), ("令4711", "font surely has")):
        with pytest.raises(LabelUnfit, match=told):
            planned.check_work_order(number)
        layout().check_work_order(number)


def test_the_number_of_an_order_before_the_line_for_it_is_made_smaller() -> None:
    """Units that had begun before the recipe got the line still get their label, with the whole number."""
    planned = layout(fields=WITH_ORDER)
    for number in ("W" * 64, "令4711"):
        text = planned.drawing(replace(data(), work_order=number), 1).texts[-1]
        assert text.text == "W/O " + number.replace("令", "?")
        assert letters.width(text.text, text.height) <= planned.text_width


def test_nothing_in_a_text_is_taken_for_a_command() -> None:
    text = zpl.of(drawing()).decode("ascii")
    assert "^FDCaf_C3_A9 _5Elamp_5F^FS" in text
    assert text.count("^XA") == text.count("^XZ") == 1


@pytest.mark.parametrize(
    ("size", "name", "told"),
    [
        (Size(20, 10, 600), "Lamp", ["serial_number: ", "manual_code: ", "vid_pid: ", "copy: line 5"]),
        (Size(50, 25, 203), "M" * 32, ["product_name: 'MMM"]),
        (Size(50, 25, 203), "灯", ["product_name: no printer's own font surely has '\\u706f'"]),
        (Size(50, 8, 203), "Lamp", ["qr_code: with its quiet zone it needs 8.2 mm"]),
        (Size(22, 25, 203), "Lamp", ["qr_code: it is "]),
    ],
)
def test_what_does_not_fit_is_named(size: Size, name: str, told: list[str]) -> None:
    with pytest.raises(LabelUnfit) as raised:
        layout(size, name)
    assert [mistake.startswith(words) for mistake, words in zip(raised.value.args, told, strict=True)] == [True] * len(
        told
    )


def test_a_text_longer_than_planned_is_a_bug() -> None:
    planned = Layout.of(Size(42, 25, 203), (Field.SERIAL_NUMBER,), "", "LT1")
    with pytest.raises(ValueError, match="serial_number"):
        planned.drawing(data(), 1)


def test_a_label_hides_itself_from_logs() -> None:
    assert "MT:" not in repr(drawing())


def test_widths_are_those_of_the_font() -> None:
    """Reportlab has Adobe's metrics of its own; Zebra's hyphen is wider."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    for code in {*range(0x20, 0x7F), *range(0xA1, 0x100)} - {ord("-"), 0xAD}:
        assert letters.width(chr(code), 1000) == pytest.approx(stringWidth(chr(code), "Helvetica-Bold", 1000))


def test_printers_are_named_by_what_they_are() -> None:
    assert printer("tcp://10.0.0.7") == TCPPrinter("10.0.0.7", 9100)
    assert printer("tcp://[::1]:9101") == TCPPrinter("::1", 9101)
    assert printer("cups:Zebra-1") == Queue("Zebra-1")
    assert printer("file:/srv/labels") == Folder(PurePosixPath("/srv/labels"))
    for wrong in (
        "",
        "tcp://",
        "tcp://host:0",
        "tcp://host:65536",
        "cups:-o raw",
        "file:labels",
        "file://labels",
        "usb:x",
    ):
        with pytest.raises(ValueError, match="expected tcp"):
            printer(wrong)
    assert LabelPlan.of(layout(), None, required=False, reprints=2).printer is None
