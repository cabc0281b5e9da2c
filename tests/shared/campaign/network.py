# SPDX-License-Identifier: Apache-2.0
"""The network between the stations and the centre, in a process of its own, told by lines on a unix socket."""

import json
import os
import signal
import socket
from pathlib import Path

from tests.builders.network import Mode, Network
from tests.builders.postgresql import Server


def serve(server: Server, stations: list[str], address: Path) -> None:
    """Carries each station's connections until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    with Network(server) as network:
        ways = {name: network.way(name) for name in stations}
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(address))
            listening.listen()
            control, _ = listening.accept()
            with control, control.makefile("rw") as told:
                for line in told:
                    name, mode, address_of_server = json.loads(line)
                    ways[name].server = Path(address_of_server)
                    ways[name].become(Mode(mode))
                    told.write("done\n")
                    told.flush()


class Control:
    """Tells the network how it is to behave."""

    def __init__(self, address: Path, server: Server) -> None:
        self.server = server
        """Where the connections go that are begun from now on."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(address))
        self._told = self._socket.makefile("rw")

    def become(self, station: str, mode: Mode) -> None:
        self._told.write(json.dumps([station, mode.value, str(self.server.socket)]) + "\n")
        self._told.flush()
        assert self._told.readline() == "done\n", "the network has ended"

    def close(self) -> None:
        self._told.close()
        self._socket.close()
