# SPDX-License-Identifier: Apache-2.0
"""Boards that come and go as on a line, all at once and at their own pace."""

import pytest

from tests.line import soak

pytestmark = [pytest.mark.line, pytest.mark.timeout(300)]


@pytest.mark.parametrize("pulls", ["0", "0.5"], ids=["calm", "pulled"])
def test_a_line_stays_in_order(pulls: str, secrets_folder: object) -> None:
    """All boards that stay pass, no slot is out of service for a pulled one, and no descriptor is left open."""
    assert soak.main(["--boards", "80", "--slots", "8", "--pulls", pulls, "--seed", "7"]) == 0
