# SPDX-License-Identifier: Apache-2.0
"""A line's files, for each test a copy of its own."""

import shutil
from pathlib import Path

import pytest

from tests.doctor.line_files import Files, make


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A line's files without a mistake."""
    folder = tmp_path_factory.mktemp("good")
    make(folder)
    return folder


@pytest.fixture
def files(tmp_path: Path, good: Path) -> Files:
    shutil.copytree(good, tmp_path / "line", symlinks=True)
    return Files(tmp_path / "line")
