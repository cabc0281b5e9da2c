# SPDX-License-Identifier: Apache-2.0
"""The configuration's path for a command that names none."""

import os
from pathlib import Path

DEFAULT_CONFIG = Path("config/line.toml")


def config_path(given: Path | None) -> Path:
    return given or Path(os.environ.get("STATION_CONFIG", DEFAULT_CONFIG))
