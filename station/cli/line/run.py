# SPDX-License-Identifier: Apache-2.0
"""`station run`."""

from station.cli.line.serve import serve
from station.cli.places import ConfigOption


def run(config: ConfigOption = None) -> None:
    """Serve the line until SIGTERM or Ctrl-C.

    Each board that is plugged in gets one attempt and one verdict. The log goes to standard output (JSON lines, or a console
    form on a terminal) and to the configuration's log file. SIGHUP reopens that file and reads the configuration again:
    the log says which changed settings are applied, and which need a restart.
    """
    serve(config)
