# SPDX-License-Identifier: Apache-2.0
"""Text from outside in a cell of CSV."""

import pytest

from station.adapters.system.shown import in_cell


@pytest.mark.parametrize("text", ["=HYPERLINK(A1)", "+1", "-1", "@SUM(1)"])
def test_no_spreadsheet_takes_a_text_for_a_formula(text: str) -> None:
    assert in_cell(text) == f"'{text}"


@pytest.mark.parametrize("space", ["\t", "\r", "\n"])
def test_not_even_after_a_space_that_it_would_skip(space: str) -> None:
    assert str(in_cell(f"{space}=1")).startswith("\\")


@pytest.mark.parametrize("value", [-1, -0.5, None, True, "LT2600000001", "2026-11-26T13:28:47.521Z", "a=b", ""])
def test_all_else_stays_as_it_is(value: object) -> None:
    assert in_cell(value) == value
