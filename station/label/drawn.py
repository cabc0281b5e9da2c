# SPDX-License-Identifier: Apache-2.0
"""A label in any of its forms. Pure."""

from enum import StrEnum

from station.label import pdf, svg, zpl
from station.label.layout import Drawing


class Form(StrEnum):
    PDF = "pdf"
    SVG = "svg"
    ZPL = "zpl"


_MAKERS = {Form.PDF: pdf.of, Form.SVG: svg.of, Form.ZPL: zpl.of}


def drawn(drawing: Drawing, form: Form) -> bytes:
    """The label as this form has it; raises `LibraryMissing`."""
    return _MAKERS[form](drawing)
