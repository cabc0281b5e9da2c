# SPDX-License-Identifier: Apache-2.0
"""Every source file names its licence, so that a copy outside the tree still does."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IDENTIFIER = "SPDX-License-Identifier: Apache-2.0"
SOURCE = {".py", ".c", ".h", ".s", ".ld", ".sh", ".mjs"}


def source_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / name for name in listed.split("\0") if name]
    return [file for file in files if file.suffix.lower() in SOURCE or is_script(file)]


def is_script(file: Path) -> bool:
    """Whether the file's first line names its interpreter."""
    return file.suffix == "" and file.is_file() and file.read_bytes().startswith(b"#!")


def test_every_source_file_names_its_licence_in_its_first_two_lines() -> None:
    unlicensed = [
        str(file.relative_to(ROOT))
        for file in source_files()
        if file.exists() and IDENTIFIER not in "".join(file.read_text().splitlines()[:2])
    ]
    assert unlicensed == []


@pytest.mark.parametrize("name", ["tools/setup", "firmware_images/build.py", "station/__init__.py"])
def test_the_files_that_are_looked_at_are_those_of_every_kind(name: str) -> None:
    assert ROOT / name in source_files()


def test_the_agent_s_sources_are_looked_at() -> None:
    agent = [file for file in source_files() if "firmware_images/source" in str(file)]
    assert {file.suffix for file in agent} >= {".c", ".h", ".ld"}
