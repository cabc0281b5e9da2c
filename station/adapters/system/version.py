# SPDX-License-Identifier: Apache-2.0
"""The running station's version, and the commit that it was built from."""

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
    """`commit` has 12 hexadecimal digits, then `-dirty` if files differ from that commit; None if it is unknown."""

    number: str
    commit: str | None

    def __str__(self) -> str:
        return f"{self.number} (commit {self.commit or 'unknown'})"


@functools.cache
def running() -> Version:
    """The version of the installed distribution. Its commit comes from the wheel or, in a source tree, from git."""
    distribution = metadata.distribution(DISTRIBUTION)
    number, _, local = distribution.version.partition("+")
    tree = _source_tree(distribution)
    return Version(number, _packed(local) if tree is None else checked_out(tree))


def _packed(local: str) -> str | None:
    found = _LOCAL.fullmatch(local)
    return found and found[1] + ("-dirty" if found[2] else "")


def _source_tree(distribution: metadata.Distribution) -> Path | None:
    """The source tree of an editable installation (PEP 610), whose commit may have changed since it was installed."""
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if not origin.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlsplit(origin["url"]).path))


def checked_out(tree: Path) -> str | None:
    """The commit of a source tree, as in `Version.commit`."""
    if not (tree / ".git").exists():
        return None
    try:
        commit = _git(tree, "rev-parse", "--short=12", "HEAD")
        return f"{commit}-dirty" if _git(tree, "status", "--porcelain", "--untracked-files=no") else commit
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(tree: Path, *arguments: str) -> str:
    # The options outrank git's environment, which in a hook names another repository; and nothing is written to the index.
    command = ["git", "--no-optional-locks", "--git-dir=.git", "--work-tree=.", *arguments]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=True).stdout.strip()
