# SPDX-License-Identifier: Apache-2.0
"""`station run`: the daemon in the foreground, for systemd or a terminal."""

import asyncio
from functools import partial

import uvloop

from station.adapters.system import log_sinks, logs
from station.cli.places import ConfigOption, config_path
from station.cli.privacy import keep_private
from station.daemon import station
from station.doctor import configuration


def run(config: ConfigOption = None) -> None:
    """Serve the line until SIGTERM or Ctrl-C.

    Each board that is plugged in gets one attempt and one verdict. The log goes to standard output (JSON lines, or a console
    form on a terminal) and to the configuration's log file. SIGHUP reopens that file and reads the configuration again:
    the log says which changed settings are applied, and which need a restart.
    """
    checked = partial(configuration.checked, config_path(config))
    loaded, recipe = asyncio.run(checked())
    keep_private()  # files that the programmer writes hold factory data
    loaded.station.state.mkdir(parents=True, exist_ok=True)
    try:
        with logs.configured(loaded.log.level, loaded.log.file) as log:
            uvloop.run(station.run(loaded, recipe, log, checked))
    finally:
        log_sinks.spare_the_end(logs.WRITTEN_WITHIN)
