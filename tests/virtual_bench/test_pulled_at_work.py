# SPDX-License-Identifier: Apache-2.0
"""A board is pulled while the programmer works on it, at each turn of the bench's loop; and nobody reads its port."""

import asyncio
from pathlib import Path

from tests.virtual_bench.bench_client import Station, station
from virtual_bench.board.board import Board
from virtual_bench.board.serial_port import SerialPort
from virtual_bench.programmer.process import Process
from virtual_bench.programmer.session import Session

MOST_TURNS = 10_000  # of the loop
LEAST_TURNS = 50  # that a run of the programmer takes


async def pulled_after(turns: int, bench: Station, board: Board) -> bool:
    """Pulls the board after so many turns of the loop; returns whether the programmer was still at work, and left it."""
    process = Process(bench.hub._bench, 1, bench.directory, lambda _: None)  # noqa: SLF001  in step with this loop
    run = asyncio.create_task(Session(bench.hub, process, [*bench.connect(board), *bench.writes()]).run())
    for _ in range(turns):
        await asyncio.sleep(0)
    at_work = not run.done()
    bench.hub.unplug(board.nameplate.port)
    left = memories(board)
    await run
    assert memories(board) == left, f"written after a pull, which was after {turns} turns"
    return at_work


def memories(board: Board) -> list[bytes]:
    return [flash.read(flash.base, flash.size) for flash in (board.internal, board.external)]


async def test_a_pulled_board_is_left_alone(tmp_path: Path) -> None:
    """A core that starts after the pull executes from memory that the bench then unmaps, which ends the whole bench."""
    async with station(tmp_path) as bench:
        for turns in range(MOST_TURNS):
            board = bench.hub.plug(1, new=True)
            at_work = await pulled_after(turns, bench, board)
            assert board.core.state() == "halted", f"pulled after {turns} turns"
            if not at_work:
                break
        assert LEAST_TURNS < turns < MOST_TURNS - 1


async def test_a_board_without_power_does_not_start(tmp_path: Path) -> None:
    """Whoever resets it."""
    async with station(tmp_path) as bench:
        board = bench.hub.plug(1)
        await bench.provisioner(board)
        bench.hub.unplug(1)
        board.reset()
        assert board.core.state() == "halted"


async def test_a_port_that_nobody_reads_drops_bytes() -> None:
    """As much as any board could say."""
    port = SerialPort(lambda _: None)
    for _ in range(200):
        port.write(b"x" * 4096)
        await asyncio.sleep(0)
    port.close()
