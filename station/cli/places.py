# SPDX-License-Identifier: Apache-2.0
"""The paths of configuration and ledger for a command."""

import os
from pathlib import Path
from typing import Annotated

import typer

from station.config import line as configuration

DEFAULT_CONFIG = Path("config/line.toml")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="The line's configuration (default: $STATION_CONFIG, else config/line.toml).",
        show_default=False,
    ),
]


def config_path(given: Path | None) -> Path:
    return given or Path(os.environ.get("STATION_CONFIG", DEFAULT_CONFIG))


def ledger_path(config: Path | None, ledger: Path | None) -> Path:
    """The given ledger, or the configuration's; raises `ConfigurationInvalid`."""
    return ledger or configuration.load(config_path(config)).ledger
