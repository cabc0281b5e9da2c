# SPDX-License-Identifier: Apache-2.0
"""The station's interface for asynchronous partner scripts: the unit to be certified."""

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
    """One board that has its factory data and provisioning firmware, and still lacks its certificates."""

    tty: str
    """The board's serial port, which the script alone uses while it runs."""
    production: bool
    """Whether the DAC's key belongs in the coprocessor's key storage; else it stays in flash."""
    name: str
    """The board's name in the log."""

    def log(self, text: str) -> None:
        """Adds one line to the attempt's transcript. Never put a secret into it."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    @asynccontextmanager
    async def board(self, baudrate: int = BAUDRATE) -> AsyncIterator["SerialBoard"]:
        """The conversation over the provisioning link (docs/link-protocol.md), for firmware that speaks it."""
        from station.adapters.board.conversation import Deadlines  # scripts in ST's manner start faster without
        from station.adapters.board.conversation import connected as connect

        async with connect(self.tty, baudrate, Deadlines()) as connected:
            yield connected
