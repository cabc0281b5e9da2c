# SPDX-License-Identifier: Apache-2.0
"""A batch of boards, and news about them while they are judged."""

import asyncio
from pathlib import Path

from station.faults.slot import ProbeDuplicate
from station.gen_factory_data.batch import Batch
from station.interfaces import BoardArrived, BoardLeft
from tests.builders.bench import RECIPE

BOARD = BoardArrived("usb-1", "066DFF01", "/dev/ttyACM0")


class Told:
    """A hotplug source that reports these changes, and then nothing more (`ports.Hotplug`)."""

    def __init__(self, *events: BoardArrived | BoardLeft) -> None:
        self._events = list(events)

    async def next(self) -> BoardArrived | BoardLeft:
        if not self._events:
            await asyncio.Event().wait()
        return self._events.pop(0)


async def test_a_board_that_turns_out_to_have_anothers_serial_number_is_void(tmp_path: Path) -> None:
    """The second probe came between the list of boards and the first scan."""
    cli = tmp_path / "STM32_Programmer_CLI"
    cli.write_text("#!/bin/sh\nexec sleep 3600\n")
    cli.chmod(0o755)
    refused = BoardArrived(BOARD.path, BOARD.probe, BOARD.tty, ProbeDuplicate(BOARD.probe))
    opening = Batch.opened(
        RECIPE, cli, tmp_path / "loader", tmp_path / "state", tmp_path / "locks", [BOARD.path], clock_is_right=False
    )
    async with asyncio.timeout(200), opening as batch:
        (outcome,) = await batch.judge([BOARD], Told(BOARD, refused), lambda _: None)
    assert (outcome.verdict, outcome.fault and outcome.fault.code) == ("void", "board.removed")
