# SPDX-License-Identifier: Apache-2.0
"""The installation on a bare PC goes by the run book: each of its commands is there, and so is each time."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
STEPS = (ROOT / "tools" / "bare-install-steps").read_text()
RUN_BOOK = (ROOT / "docs" / "operating.md").read_text()
OF_THE_BENCH = ("systemd-run ", "virtual-bench ")  # in place of hardware; docs/virtual-bench.md has them


def commands() -> list[str]:
    found = re.findall(r"""^    step (?:'(.*?)'|"(.*?)")(?: \d.*)?$""", STEPS, re.MULTILINE)
    return ["make wheelhouse", *(single or double for single, double in found)]


def test_the_run_book_has_the_seconds_of_every_command() -> None:
    """The table was made by the script as it is now."""
    table = re.findall(
        r"^ *[\d.]+  (.+)$", RUN_BOOK.partition("### Tried on a bare PC")[2].split("```")[1], re.MULTILINE
    )
    assert table == [*commands(), "from the first to the last, with the boards"]


def test_every_command_is_one_of_the_run_book() -> None:
    """Whoever installs a line finds in the run book what was tried, outside the table, too."""
    before, _, after = RUN_BOOK.partition("### Tried on a bare PC")
    prose = before + after.split("```", 2)[2]
    missing = [each for each in commands() if not each.startswith(OF_THE_BENCH) and each not in prose]
    assert missing == []
