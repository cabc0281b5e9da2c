# SPDX-License-Identifier: Apache-2.0
"""Files of JSON lines that a process is still writing: its last line may be half there."""

import json
from pathlib import Path


def lines_of(path: Path, after: int = 0) -> list[str]:
    """The whole lines from this byte on."""
    with path.open("rb") as file:
        file.seek(after)
        return [line.decode() for line in file.read().split(b"\n")[:-1]]


def objects_of(path: Path, after: int = 0) -> list[dict[str, object]]:
    """What the whole lines hold."""
    return [json.loads(line) for line in lines_of(path, after)]
