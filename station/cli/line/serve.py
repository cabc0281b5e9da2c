# SPDX-License-Identifier: Apache-2.0
"""The daemon in the foreground, for systemd or a terminal, without the command line's libraries.

A process that lives for months needs neither rich nor typer: together they are a tenth of its memory.
"""

import asyncio
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

import uvloop

from station.adapters.system import allocator, log_sinks, logs
from station.cli.config_path import config_path
from station.cli.endings import exit_code
from station.cli.privacy import keep_private
from station.daemon import station
from station.doctor import configuration


def asked_for(words: Sequence[str]) -> tuple[Path | None] | None:
    """The configuration that `station run` names in the usual spelling, if any; None where the command line is to read the words."""
    match words:
        case ["run"]:
            return (None,)
        case ["run", "--config" | "-c", file] if not file.startswith("-"):
            return (Path(file),)
        case _:
            return None


def main(config: Path | None) -> NoReturn:
    """`station run`: the daemon until its end, then the process's."""
    sys.exit(exit_code(partial(serve, config)))


def serve(config: Path | None) -> None:
    """Serves the line until SIGTERM or Ctrl-C. Raises `ConfigurationInvalid`, and the faults that keep a line from opening."""
    allocator.keep_memory_small()
    checked = partial(configuration.checked, config_path(config))
    loaded, recipe = asyncio.run(checked())
    keep_private()  # files that the programmer writes hold factory data
    loaded.station.state.mkdir(parents=True, exist_ok=True)
    try:
        with logs.configured(loaded.log.level, loaded.log.file) as log:
            uvloop.run(station.run(loaded, recipe, log, checked))
    finally:
        log_sinks.spare_the_end(logs.WRITTEN_WITHIN)
