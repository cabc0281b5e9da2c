# SPDX-License-Identifier: Apache-2.0
"""Labels drawn by programs that nobody here wrote, and read as a phone would: pdfium, resvg, zpl-renderer-js, zxing."""

import base64
import io
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pypdfium2
import resvg_py
import zxingcpp
from PIL import Image

POINTS = 72
RENDERER = Path(__file__).parents[1] / "commissioning" / "node_modules" / "zpl-renderer-js"
SCRIPT = Path(__file__).with_name("zpl.mjs")


def of_pdf(pdf: bytes, dpi: int) -> Image.Image:
    (page,) = pypdfium2.PdfDocument(pdf)
    picture: Image.Image = page.render(scale=dpi / POINTS).to_pil()
    return picture.convert("L")


def of_svg(svg: bytes, dpi: int) -> Image.Image:
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg.decode(), dpi=dpi))
    return Image.open(io.BytesIO(png)).convert("L")


def of_zpl(labels: Sequence[bytes], width_mm: float, height_mm: float, dots_a_mm: int) -> list[Image.Image]:
    """All prints, by one start of Node.js; the renderer comes with tests/commissioning."""
    asked = "\0".join(label.decode("ascii") for label in labels)
    sizes = (str(width_mm), str(height_mm), str(dots_a_mm))
    command = ("node", str(SCRIPT), str(RENDERER), *sizes)
    drawn = subprocess.run(command, input=asked, capture_output=True, text=True, check=True, timeout=240).stdout
    return [Image.open(io.BytesIO(base64.b64decode(line))).convert("L") for line in drawn.split()]


def codes_in(picture: Image.Image) -> list[str]:
    """The texts of all codes in a picture."""
    return [each.text for each in zxingcpp.read_barcodes(picture)]
