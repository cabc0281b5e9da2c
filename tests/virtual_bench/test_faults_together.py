# SPDX-License-Identifier: Apache-2.0
"""Several faults of one board in one phase happen in their order, or the bench refuses their file."""

import asyncio
from itertools import product
from pathlib import Path

import pytest

from tests.virtual_bench.bench_client import Station, station
from virtual_bench.board.board import Board
from virtual_bench.faults.armed import Nature
from virtual_bench.faults.catalogue import CATALOGUE
from virtual_bench.faults.fault_file import PULLS, FaultsInvalid, load
from virtual_bench.faults.phases import Phase
from virtual_bench.server.control import Refused, ask

AT_ENTRY = [kind for kind in CATALOGUE.values() if kind.nature is Nature.ENTRY]
PAIRS = [
    (first.name, second.name, next(phase for phase in first.phases if phase in second.phases))
    for first, second in product(AT_ENTRY, AT_ENTRY)
]


def fault(what: str, at: str, **parameters: object) -> dict[str, object]:
    return {"board": 1, "at": at, "what": what, **parameters}


def happened(bench: Station) -> list[object]:
    return [entry["what"] for entry in bench.journal("fault")]


async def recognised(bench: Station, board: Board) -> tuple[int | None, str]:
    return await bench.program(*bench.connect(board, "HOTPLUG"), "-r32", "0x1FFF7590", "12", "-ob", "displ")


async def returned(bench: Station, board: Board, *, by_itself: bool) -> None:
    if not by_itself:
        bench.hub.plug(1)
    async with asyncio.timeout(200):
        while not board.plugged:
            await asyncio.sleep(0)


@pytest.mark.parametrize(("first", "second", "at"), PAIRS, ids=[f"{first} {second}" for first, second, _ in PAIRS])
async def test_two_faults_at_the_beginning_of_one_phase_happen_in_their_order(
    tmp_path: Path, first: str, second: str, at: Phase
) -> None:
    """A fault after a pull happens when the board comes back and reaches the phase again."""
    async with station(tmp_path, fault(first, at.value), fault(second, at.value)) as bench:
        board = bench.hub.plug(1)
        board.faults.enter(at)
        if first in PULLS:
            assert happened(bench) == [first]
            assert board.faults.phase is None
            await returned(bench, board, by_itself=first == "bounce")
            board.faults.enter(at)
        assert happened(bench) == [first, second]
        assert board.plugged is (second not in PULLS)


async def test_a_board_that_is_pulled_twice_in_one_phase_leaves_twice(tmp_path: Path) -> None:
    """The bench goes on, and the board is recognised at its third plugging."""
    async with station(tmp_path, fault("unplug", "recognise"), fault("unplug", "recognise")) as bench:
        statuses = []
        for _ in range(3):
            board = bench.hub.plug(1)
            statuses.append((await recognised(bench, board))[0])
            if board.plugged:
                break
        assert statuses == [1, 1, 0]
        assert happened(bench) == ["unplug", "unplug"]


async def test_a_phase_that_follows_at_once_does_not_begin_without_its_board(tmp_path: Path) -> None:
    """The phase before the delivery ends with the board's pull."""
    pulls = [fault("unplug", "relay_to_pki"), fault("unplug", "deliver")]
    async with station(tmp_path, *pulls) as bench:
        board = bench.hub.plug(1)
        board.faults.enter(Phase.RELAY_TO_PKI)
        board.faults.enter(Phase.DELIVER)
        assert (happened(bench), board.faults.phase) == (["unplug"], None)
        board = bench.hub.plug(1)
        board.faults.enter(Phase.DELIVER)
        assert (happened(bench), board.plugged) == (["unplug", "unplug"], False)


async def test_a_delayed_fault_finds_nobody_behind_a_pull(tmp_path: Path) -> None:
    """The fault does not hit a later stay of the board either."""
    faults = [fault("brown_out", "recognise", after=0.01), fault("unplug", "recognise")]
    async with station(tmp_path, *faults) as bench:
        board = bench.hub.plug(1)
        board.faults.enter(Phase.RECOGNISE)
        assert (happened(bench), board.plugged) == (["brown_out", "unplug"], False)


IMPOSSIBLE = {
    "the same lasting fault twice": (
        [("low_voltage", "recognise", "volts = 2.4"), ("low_voltage", "recognise", "volts = 1.0")],
        "fault 2: what: low_voltage at recognise is the same as fault 1, which lasts until the board is unplugged",
    ),
    "two serial numbers": (
        [("duplicate_serial", "recognise", "of = 2"), ("duplicate_serial", "recognise", "of = 3")],
        "fault 2: what: duplicate_serial at recognise is the same as fault 1, which lasts until the board is unplugged",
    ),
    "behind a pull each time": (
        [("unplug", "confirm", "times = 0"), ("brown_out", "confirm", "")],
        "fault 2: what: brown_out at confirm never happens, since fault 1 pulls the board each time",
    ),
    "behind the same moment each time": (
        [("connect_error", "recognise", "times = 0"), ("connect_error", "recognise", 'error = "usb"')],
        "fault 2: what: connect_error at recognise never happens, since fault 1 is the same fault and happens each time",
    ),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_a_file_whose_faults_cannot_all_happen_is_refused(tmp_path: Path, case: str) -> None:
    """The message has the places of both faults."""
    faults, told = IMPOSSIBLE[case]
    file = tmp_path / "faults.toml"
    file.write_text(
        "".join(f'[[fault]]\nboard = 1\nat = "{at}"\nwhat = "{what}"\n{values}\n' for what, at, values in faults)
    )
    with pytest.raises(FaultsInvalid) as caught:
        load(file)
    assert str(caught.value) == f"{file}: {told}"
    file.write_text(file.read_text().replace("board = 1", "board = 2", 1))
    assert len(load(file)) == 2


async def test_a_fault_by_hand_that_cannot_happen_is_refused(tmp_path: Path) -> None:
    """The bench goes on."""
    async with station(tmp_path, fault("mute", "confirm")) as bench:
        board = bench.hub.plug(1)
        await asyncio.to_thread(ask, bench.directory, "fault", fault=fault("unplug", "lock"))
        with pytest.raises(Refused, match="mute at confirm is the same as a fault that is armed, which lasts until"):
            await asyncio.to_thread(ask, bench.directory, "fault", fault=fault("mute", "confirm"))
        assert (await recognised(bench, board))[0] == 0
        board.faults.enter(Phase.CONFIRM)
        await asyncio.to_thread(ask, bench.directory, "fault", fault=fault("mute", "confirm"))
