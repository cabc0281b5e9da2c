# SPDX-License-Identifier: Apache-2.0
"""Writes a file that is there whole or not at all, new or in another's place."""

import os
import tempfile
from pathlib import Path

PRIVATE, PUBLIC = 0o600, 0o644


def write(path: Path, content: bytes, mode: int = PRIVATE) -> None:
    """The file has the content durably, and never another mode than this or a stricter one. Raises `OSError`."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
