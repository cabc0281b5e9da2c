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

    Boards are noticed as they are plugged in; each gets one attempt and one verdict. The log goes to standard output (JSON lines; a
    console form on a terminal) and to the file that the configuration names, which SIGHUP opens anew.
    """
    from station.daemon import station

    loaded, recipe = asyncio.run(configuration.checked(config_path(config)))
    keep_private()  # what the programmer writes for us holds factory data
    loaded.station.state.mkdir(parents=True, exist_ok=True)
    try:
        with logs.configured(loaded.log.level, loaded.log.file) as log:
            uvloop.run(station.run(loaded, recipe, log))
    finally:
        log_sinks.spare_the_end(logs.WRITTEN_WITHIN)
