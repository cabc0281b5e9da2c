# SPDX-License-Identifier: Apache-2.0
"""Where a command writes what it exports: a file that has its name only once it is whole, or standard output."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from station.cli.consoles import standard_output


@contextmanager
def opened(output: Path | None) -> Iterator[TextIO]:
    """The file for the block. One that is there already is replaced at the block's end, and stays as it is after a failure."""
    if output is None:
        file = standard_output()
        yield file
        file.flush()  # flush here, where a closed pipe ends the command in order
        return
    with whole(output) as place, place.open("w", encoding="utf-8", newline="") as file:
        yield file


@contextmanager
def whole(output: Path) -> Iterator[Path]:
    """The path to write to during the block. A device or a pipe is written to as it is."""
    place = Path(os.path.realpath(output))
    if place.exists() and not place.is_file():
        yield place
        return
    unfinished = place.with_name(f".{place.name}.{os.getpid()}.new")
    try:
        yield unfinished
        if place.exists():
            shutil.copymode(place, unfinished)
        unfinished.rename(place)
    finally:
        unfinished.unlink(missing_ok=True)
