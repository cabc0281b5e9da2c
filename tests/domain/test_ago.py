# SPDX-License-Identifier: Apache-2.0
"""How long ago something was, in words."""

from datetime import UTC, datetime, timedelta

import pytest

from station.domain.ago import ago

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s ago"),
        (0.9, "0 s ago"),
        (119, "119 s ago"),
        (120, "2 min ago"),
        (7199, "119 min ago"),
        (7200, "2 h ago"),
        (172_799, "47 h ago"),
        (172_800, "2 days ago"),
    ],
)
def test_the_largest_unit_of_which_there_are_two(seconds: float, words: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds), NOW) == words


def test_what_never_was() -> None:
    assert ago(None, NOW) == "never"
