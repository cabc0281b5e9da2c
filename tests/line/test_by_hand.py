# SPDX-License-Identifier: Apache-2.0
"""README.md: the commands under "To try it by hand", pasted as they are, make a unit."""

import os
import re
import signal
import socket
import sys
from pathlib import Path

import pytest

from station.adapters.ledger.reader import LedgerReader
from tests.builders.station_demo import ROOT, SHORT_DEADLINES, heard

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

SECTION = (ROOT / "README.md").read_text().split("## To try it by hand", 1)[1].split("\n## ", 1)[0]
CONFIGURATION = (ROOT / "config" / "by-hand.toml").read_text()
FOLDER, PORT = "/tmp/bench", "8443"
WITHIN = 600


def pasted(folder: Path) -> str:
    """The block with a folder, a port and a configuration that no other test has; the programs are those under test."""
    block: str
    (block,) = re.findall(r"^```sh\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    recipe = f'recipe = "{ROOT}/config/recipes/lighting.toml"'
    configuration = folder / "by-hand.toml"
    text = CONFIGURATION.replace('recipe = "recipes/lighting.toml"', recipe)
    configuration.write_text(text.replace(FOLDER, str(folder / "bench")).replace(PORT, port))
    for old, new in (
        ("$PWD/.venv/bin", Path(sys.executable).parent),
        ("$PWD/config/by-hand.toml", configuration),
        (FOLDER, folder / "bench"),
        (PORT, port),
    ):
        assert old in block
        block = block.replace(old, str(new))
    return block


def test_the_pasted_commands_make_a_unit(tmp_path: Path) -> None:
    """Every command succeeds, the board passes, and nothing is left running: the pipe is closed."""
    with heard(["bash", "-c", pasted(tmp_path)], **SHORT_DEADLINES) as shell:
        try:
            output, _ = shell.communicate(timeout=WITHIN)
        except BaseException:
            os.killpg(shell.pid, signal.SIGTERM)
            raise
    assert shell.returncode == 0, output
    (attempt,) = LedgerReader(tmp_path / "bench" / "ledger.sqlite").attempts()
    assert (attempt.verdict, attempt.slot) == ("pass", "1"), output
    assert f"{attempt.serial_number}" in output
    assert "the daemon has ended" in output


def test_the_files_that_the_readme_names_are_there() -> None:
    """The table names the configuration's own paths."""
    named = re.findall(r"^\| `([^`]+)`", SECTION, re.MULTILINE)
    for name in named:
        assert (ROOT / name).exists() if not name.startswith("/") else name.startswith(f"{FOLDER}/")
    assert CONFIGURATION.index("\nrecipe = ") < CONFIGURATION.index("\n[")
