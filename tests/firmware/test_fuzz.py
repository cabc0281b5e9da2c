# SPDX-License-Identifier: Apache-2.0
"""Some millions of spoiled inputs for the agent's parsers; `make fuzz` runs longer."""

from pathlib import Path

import pytest

from tests.firmware.fuzz import own_driver, run_own_driver

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]
INPUTS = 8_000_000


def test_no_input_makes_a_parser_stray(tmp_path: Path) -> None:
    """Frames, the factory data's list and certificates, under both sanitizers; the seed and the number of inputs are fixed, whatever the machine's speed."""
    assert run_own_driver(own_driver(tmp_path), 1, inputs=INPUTS) == INPUTS
