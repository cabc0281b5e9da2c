# SPDX-License-Identifier: Apache-2.0
"""The paths of configuration and ledger for a command."""

from pathlib import Path
from typing import Annotated

import typer

from station.cli.config_path import DEFAULT_CONFIG, config_path
from station.config import line as configuration

__all__ = ["DEFAULT_CONFIG", "ConfigOption", "config_path", "ledger_path"]

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="The line's configuration (default: $STATION_CONFIG, else config/line.toml).",
        show_default=False,
    ),
]


def ledger_path(config: Path | None, ledger: Path | None) -> Path:
    """The given ledger, or the configuration's; raises `ConfigurationInvalid`."""
    return ledger or configuration.load(config_path(config)).ledger
