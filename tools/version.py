# SPDX-License-Identifier: Apache-2.0
"""The version that a build gets: the number below, and the commit where git or the source archive knows it."""

import re
import subprocess
from pathlib import Path

NUMBER = "0.1.0"
ROOT = Path(__file__).resolve().parents[1]


def version() -> str:
    """`0.1.0+g9277703a1b2c`, with `.dirty` behind it if files differ from that commit; `0.1.0` where nobody knows the commit.

    A source archive has no git; the version that it was packed with stands in its PKG-INFO.
    """
    if (commit := _commit()) is not None:
        return f"{NUMBER}+g{commit}"
    packed = re.search(r"^Version: (\S+)$", _metadata(), re.MULTILINE)
    return packed[1] if packed else NUMBER


def _commit() -> str | None:
    if not (ROOT / ".git").exists():  # git would find a repository around the tree
        return None
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        return f"{commit}.dirty" if _git("status", "--porcelain", "--untracked-files=no") else commit
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    # The options outrank git's environment, which in a hook names another repository; and nothing is written to the index.
    command = ["git", "--no-optional-locks", "--git-dir=.git", "--work-tree=.", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _metadata() -> str:
    try:
        return (ROOT / "PKG-INFO").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
