# SPDX-License-Identifier: Apache-2.0
"""Some of the behaviours of a PKI in docs/pki-behaviours.md, one of each kind. `make pki-table` tries them all."""

import pytest

from tests.line.pki_behaviours import BEHAVIOURS, REPRESENTATIVE
from tests.line.pki_table import RowFailed, tried

pytestmark = [pytest.mark.line, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("slow", [False, True])
def test_the_line_does_what_the_page_says(*, slow: bool) -> None:
    """Rows that wait for deadlines of the station have a line of their own, whose deadlines are short."""
    rows = [row for row in BEHAVIOURS if row.name in REPRESENTATIVE and row.slow is slow]
    assert not [str(seen) for seen in tried(rows) if isinstance(seen, RowFailed)]
