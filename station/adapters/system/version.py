# SPDX-License-Identifier: Apache-2.0
"""Which station this is: its version, and the commit that it was made from."""

import functools
import json
import re
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

DISTRIBUTION = "matter-provisioning-station"
_LOCAL = re.compile(r"g([0-9a-f]+)(\.dirty)?")


@dataclass(frozen=True, slots=True)
class Version:
    """`commit` has 12 hexadecimal digits, and `-dirty` behind them where files differ from it; None if nobody knows it."""

    number: str
    commit: str | None

    def __str__(self) -> str:
        return f"{self.number} (commit {self.commit or 'unknown'})"


@functools.cache
def running() -> Version:
    """The version of the installed distribution. A wheel carries its commit; git is asked for that of a source tree."""
    distribution = metadata.distribution(DISTRIBUTION)
    number, _, local = distribution.version.partition("+")
    tree = _source_tree(distribution)
    return Version(number, _packed(local) if tree is None else _checked_out(tree))


def _packed(local: str) -> str | None:
    found = _LOCAL.fullmatch(local)
    return found and found[1] + ("-dirty" if found[2] else "")


def _source_tree(distribution: metadata.Distribution) -> Path | None:
    """The tree of an editable installation, whose own version says only from which commit it was installed (PEP 610)."""
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if not origin.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlsplit(origin["url"]).path))


def _checked_out(tree: Path) -> str | None:
    if not (tree / ".git").exists():
        return None
    try:
        commit = _git(tree, "rev-parse", "--short=12", "HEAD")
        return f"{commit}-dirty" if _git(tree, "status", "--porcelain", "--untracked-files=no") else commit
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(tree: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=True).stdout.strip()
