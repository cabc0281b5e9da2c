# SPDX-License-Identifier: Apache-2.0
"""Boards come and go as on a line, all at the same time and at their own pace."""

import pytest

from tests.line import thousand

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]


@pytest.mark.parametrize("pulls", ["0", "0.5"], ids=["calm", "pulled"])
def test_a_line_stays_in_order(pulls: str, secrets_folder: object) -> None:
    """All boards that stay pass, no slot goes out of service for a pulled board, and no descriptor stays open."""
    assert thousand.main(["--boards", "80", "--slots", "8", "--pulls", pulls, "--seed", "7"]) == 0
