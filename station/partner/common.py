# SPDX-License-Identifier: Apache-2.0
"""The module `common` as scripts for ST's `genFactoryData.py` import it: every name of ST's, for a process of one board.

A script that has a `common.py` beside itself gets that one.
"""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

RET_OK = 0
RET_ERROR = 1

RED = "\033[31m"
GREEN = "\033[32m"
YELLOW = "\033[33m"
BLUE = "\033[34m"
MAGENTA = "\033[35m"
CYAN = "\033[36m"
RESET = "\033[0m"

print_lock = threading.Lock()


def thread_safe_print(*values: object, sep: str = " ", end: str = "\n") -> None:
    """Prints, one call at a time. Flushes, so that a killed script loses no output."""
    with print_lock:
        print(*values, sep=sep, end=end, flush=True)  # noqa: T201  a script reports on standard output


def get_current_timestamp() -> str:
    """The present time, to the millisecond."""
    return datetime.now(UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def readIntegerFromFile(header: str, path: str) -> int | None:  # noqa: N802  ST's name
    """The number in a text file, decimal or hexadecimal; prints the mistake and returns None if there is none."""
    try:
        return int(Path(path).read_text(encoding="utf-8").strip(), 0)
    except (OSError, ValueError) as exc:
        thread_safe_print(f"{RED}{header}{path}: no number can be read: {exc}{RESET}")
        return None


def readBinaryFileToByteList(header: str, path: str) -> Sequence[int] | None:  # noqa: N802  ST's name
    """The bytes of a file as a list of numbers; prints the mistake and returns None if it cannot be read."""
    try:
        return list(Path(path).read_bytes())
    except OSError as exc:
        thread_safe_print(f"{RED}{header}{path}: cannot be read: {exc.strerror}{RESET}")
        return None
