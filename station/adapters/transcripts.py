"""What the programmer printed, kept by attempt: one text file each, appended line by line."""

from collections.abc import Callable
from pathlib import Path


def sink(folder: Path, attempt: int) -> Callable[[str], None]:
    """Takes lines for the transcript of this attempt; the file appears with the first. A thousand attempts a folder."""
    path = folder / f"{attempt // 1000:04d}" / f"{attempt:07d}.txt"

    def write(line: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    return write
