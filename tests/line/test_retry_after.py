# SPDX-License-Identifier: Apache-2.0
"""The times in a server's headers: none of them raises, and none is longer than a day."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.adapters.system import retry_after
from station.adapters.system.retry_after import LONGEST

NOW = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)

SECONDS: dict[str | None, float | None] = {
    None: None,
    "": None,
    "0": 0,
    "3600": 3600,
    " 17 ": 17,
    "0000000000000000005": 5,
    "86400": LONGEST,
    "86401": LONGEST,
    "9" * 400: LONGEST,
    "9" * 8000: LONGEST,
    "²": None,
    "١٢": None,
    "-5": None,
    "+5": None,
    "1.5": None,
    "1e3": None,
    "soon": None,
    "Thu, 26 Nov 2026 12:00:20 GMT": 20,
    "Thu, 26 Nov 2026 12:00:20": 20,
    "Thu, 26 Nov 2026 12:00:20 -0000": 20,
    "Thu, 26 Nov 2026 13:00:20 +0100": 20,
    "Thursday, 26-Nov-26 12:00:20 GMT": 20,
    "Thu Nov 26 12:00:20 2026": 20,
    "Thu, 26 Nov 2026 11:59:59 GMT": 0,
    "Wed, 21 Oct 2015 07:28:00 GMT": 0,
    "Fri, 31 Dec 9999 23:59:59 GMT": LONGEST,
    "Fri, 31 Dec 9999 23:59:59 -2300": LONGEST,
    "Mon, 01 Jan 0001 00:00:00 +2300": 0,
    "Thu, 26 Nov 2026 12:00:20 +9999": None,
    "Thu, 26 Nov 2026 12:00:20 +999999999999999999999": None,
    f"Fri, 31 Dec {'9' * 60} 23:59:59 GMT": None,
    "Thu, 99 Nov 2026 12:00:20 GMT": None,
    "Thu, 26 Nov 2026 12:00:20 GMT" + " " * 500 + "x": None,
}


@pytest.mark.parametrize("text", SECONDS)
def test_every_form_is_a_number_of_seconds_or_none(text: str | None) -> None:
    """A date counts from the server's clock; whatever is longer than a day is a day."""
    assert retry_after.seconds(text, NOW) == SECONDS[text]


@settings(max_examples=200, derandomize=True)
@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ ([+-]\d+|[A-Z]+)"))
def test_no_text_raises(text: str) -> None:
    """A header may hold anything."""
    found = retry_after.seconds(text, NOW)
    assert found is None or 0 <= found <= LONGEST
    retry_after.moment(text)
