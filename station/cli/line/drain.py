# SPDX-License-Identifier: Apache-2.0
"""`station drain`: ends the daemon once the boards in work have their verdicts."""

import time
from pathlib import Path

from station.cli.consoles import say
from station.cli.line.reason import ReasonOption, say_unless_recorded
from station.cli.places import ConfigOption, config_path
from station.config import line as configuration
from station.daemon import control

LOOKED_EVERY = 0.5


def drain(reason: ReasonOption = "", config: ConfigOption = None) -> None:
    """Begin no further attempt, and end the daemon once the running ones have their verdicts.

    Ctrl-C ends only the waiting: the daemon goes on draining. Exit code 0 means that the daemon has ended.
    """
    socket = configuration.load(config_path(config)).control_socket
    answer = control.ask(socket, "drain", reason=reason)
    names = answer["at_work"]
    at_work = ", ".join(map(str, names)) if isinstance(names, list) else ""
    say(f"draining; at work: slot {at_work}" if at_work else "draining; no slot is at work")
    say_unless_recorded(answer)
    while not ended(socket):
        time.sleep(LOOKED_EVERY)
    say("the daemon has ended")


def ended(socket: Path) -> bool:
    """Whether nobody listens at the control socket. A daemon that is slow, or has no descriptor left to answer with, has not ended."""
    try:
        control.ask(socket, "status")
    except control.DaemonAbsent as exc:
        return isinstance(exc.__cause__, FileNotFoundError | ConnectionRefusedError)
    return False
