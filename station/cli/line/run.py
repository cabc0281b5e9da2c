# SPDX-License-Identifier: Apache-2.0
"""`station run`: the daemon in the foreground, for systemd or a terminal."""

import asyncio

import uvloop

from station.adapters.system import log_sinks, logs
from station.cli.places import ConfigOption, config_path
from station.cli.privacy import keep_private
from station.doctor import configuration


def run(config: ConfigOption = None) -> None:
    """Serve the line until SIGTERM or Ctrl-C.

    Each board that is plugged in gets one attempt and one verdict. The log goes to standard output (JSON lines, or a console
    form on a terminal) and to the configuration's log file, which SIGHUP reopens.
    """
    from station.daemon import station

    loaded, recipe = asyncio.run(configuration.checked(config_path(config)))
    keep_private()  # files that the programmer writes hold factory data
    loaded.station.state.mkdir(parents=True, exist_ok=True)
    try:
        with logs.configured(loaded.log.level, loaded.log.file) as log:
            uvloop.run(station.run(loaded, recipe, log))
    finally:
        log_sinks.spare_the_end(logs.WRITTEN_WITHIN)
