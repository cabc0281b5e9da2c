# SPDX-License-Identifier: Apache-2.0
"""The unit that an asynchronous partner script is called for."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from station.adapters.board.conversation import SerialBoard

BAUDRATE = 115200


class Refused(Exception):
    """The board cannot be provisioned: the unit fails, for this reason. Never put a secret into it."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One board whose factory data and provisioning firmware are in place, and which lacks its certificates."""

    tty: str
    """Its serial port, which is the script's alone for as long as it runs."""
    production: bool
    """Whether the DAC's key belongs into the coprocessor's key storage; else it stays in flash."""
    name: str
    """How the log names the board."""

    def log(self, text: str) -> None:
        """One line for the attempt's transcript. Never put a secret into it."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    @asynccontextmanager
    async def board(self, baudrate: int = BAUDRATE) -> AsyncIterator["SerialBoard"]:
        """The conversation over the provisioning link (docs/link-protocol.md), for firmware that speaks it."""
        from station.adapters.board.conversation import Deadlines  # scripts in ST's manner start faster without
        from station.adapters.board.conversation import connected as connect

        async with connect(self.tty, baudrate, Deadlines()) as connected:
            yield connected
