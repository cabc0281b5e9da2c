# SPDX-License-Identifier: Apache-2.0
"""A slot that the daemon does not have is a mistake in the command, and not a failure of the work."""

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from station.config.line import SOCKET
from station.daemon import control
from tests.builders.small_line import small_line

pytestmark = pytest.mark.slow

NO_SLOT = "there is no slot 44; there are 1, 2"


@pytest.mark.parametrize("command", ["hold", "release"])
@pytest.mark.parametrize(("refusal", "status"), [(control.SubjectUnknown, 2), (control.CommandRefused, 1)])
async def test_an_unknown_slot_is_wrong_usage(
    tmp_path: Path, command: str, refusal: type[control.CommandRefused], status: int
) -> None:
    """The exit code is 2; a command that the daemon refuses for another reason has 1."""
    config = tmp_path / "line.toml"
    config.write_text(small_line("1"))

    async def refuse(_question: Mapping[str, object]) -> control.Answer:
        raise refusal(NO_SLOT)

    async with control.serving(tmp_path / SOCKET, {command: refuse}):
        asked = [sys.executable, "-m", "station", "slots", command, "44", "--config", str(config)]
        done = await asyncio.to_thread(subprocess.run, asked, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (status, f"{NO_SLOT}\n")
