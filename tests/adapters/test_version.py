# SPDX-License-Identifier: Apache-2.0
"""The version of a source tree is that tree's, wherever git is told to look."""

import subprocess
from pathlib import Path

import pytest

from station.adapters.system import version

ROOT = Path(__file__).resolve().parents[2]


def test_gits_environment_does_not_change_the_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A hook of another repository sets GIT_DIR."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    expected = version.checked_out(ROOT)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    assert expected is not None
    assert version.checked_out(ROOT) == expected
