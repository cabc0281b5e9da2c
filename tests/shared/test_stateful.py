# SPDX-License-Identifier: Apache-2.0
"""Whatever three stations and their centre go through, nothing is given twice and nothing is lost."""

import pytest

from tests.shared import stateful

pytestmark = pytest.mark.slow


def test_nothing_is_given_twice_and_nothing_is_lost() -> None:
    stateful.run(30, 20, derandomize=True)
