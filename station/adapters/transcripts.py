"""What the programmer printed, kept by attempt: one text file each, appended run by run."""

from collections.abc import Callable
from pathlib import Path

ATTEMPTS_A_FOLDER = 1000


def recorder(folder: Path, attempt: int) -> Callable[[str], None]:
    """Takes the text of each run of this attempt; the file appears with the first."""
    path = folder / f"{attempt // ATTEMPTS_A_FOLDER:04d}" / f"{attempt:07d}.txt"

    def record(text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(text if text.endswith("\n") else f"{text}\n")

    return record
