# SPDX-License-Identifier: Apache-2.0
"""docs/api.md says what the API's own description says."""

from tests.builders.api_page import PAGE, page


def test_the_page_is_made_from_the_routes() -> None:
    """`python -m tests.builders.api_page` makes it."""
    assert PAGE.read_text(encoding="utf-8") == page()
