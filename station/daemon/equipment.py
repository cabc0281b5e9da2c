# SPDX-License-Identifier: Apache-2.0
"""One slot's equipment while one board is in it: the programmer, the board's serial port, and whoever else works on the board."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from station.adapters.board import conversation, st_monitor, tty
from station.adapters.board.conversation import Deadlines
from station.adapters.partner.script import PartnerScript
from station.config.line import BoardSection
from station.domain.product import KeyStorage
from station.interfaces import Board, Partner, Programmer
from station.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class SlotBench:
    """`gone` tells that the board was pulled; `record` gets what others than the station print."""

    programmer: Programmer
    slot: str
    tty: str
    section: BoardSection
    gone: asyncio.Event
    record: Callable[[str], None]
    recipe: Recipe | None = None

    def board(self) -> AbstractAsyncContextManager[Board]:
        section = self.section
        deadlines = Deadlines(section.boot_within, section.reply_within, section.repeat_every, section.port_free_within)
        return conversation.connected(self.tty, section.baudrate, deadlines)

    @asynccontextmanager
    async def partner(self) -> AsyncIterator[Partner]:
        """Whoever the recipe says puts certificates on the board; `ValueError` if it says nobody."""
        recipe = self.recipe
        if recipe is None or recipe.delivery is None:
            raise ValueError("the recipe names nobody who puts certificates on the board")
        delivery = recipe.delivery
        if delivery.script is None:
            section = self.section
            async with st_monitor.connected(
                self.tty, section.baudrate, delivery.within, section.port_free_within
            ) as monitor:
                yield monitor
            return
        async with tty.opened(self.tty, self.section.baudrate, self.section.port_free_within):
            pass  # no other program holds the port any more: the script, which opens it itself, would not wait
        yield PartnerScript(
            script=delivery.script,
            production=recipe.key_storage is KeyStorage.SECURE,
            header=f"{self.slot}> ",
            tty=self.tty,
            within=delivery.within,
            gone=self.gone,
            record=self.record,
        )
