# SPDX-License-Identifier: Apache-2.0
"""Durations: the seconds of the station's plan, as in its performance study."""

import time
from pathlib import Path

import pytest

from tests.virtual_bench.bench_client import APPLICATION, DATA_ADDRESS, Station, image, station
from virtual_bench.board.board import Board
from virtual_bench.board.factory_data import BLOCK
from virtual_bench.board.stack_image import made
from virtual_bench.programmer.standin import LOADER
from virtual_bench.server.server import Settings
from virtual_bench.timing.profile import PROFILES

# Output of the study's own script, for a provisioning firmware of 48,874, an operational one of 479,006 and
# factory data of 1,600 bytes: recognise; factory data and provisioner; read-back and operational firmware.
PLANS = {
    "fast-host-v2-1": (0.85, 3.162997, 11.295836),
    "fast-host-v3": (0.85, 2.735031, 9.871856),
    "slow-host-v2-1": (1.6, 3.99878, 13.54905),
}
FACTORY_DATA_REWRITE = 0.150096  # the same in all of them
P256_OPERATION = 0.082


async def run_plan(bench: Station, board: Board) -> None:
    """Runs the three invocations of the plan."""
    loader = ["-el", str(bench.directory / LOADER)]
    data = bench.file("data.bin", b"\x55" * 1600)
    provisioner = bench.file("provisioner.bin", image("provisioning-flash", 48_874))
    operational = bench.file("operational.bin", image("operational-stand-in", 479_006))
    write_data = ["-d", data, hex(DATA_ADDRESS), "-v"]
    write_provisioner = ["-d", provisioner, hex(APPLICATION), "-v"]
    read_back = ["-r", hex(DATA_ADDRESS), "16384", "back.bin"]
    write_operational = ["-d", operational, hex(APPLICATION), "-v", "fast"]
    for argv in (
        bench.connect(board, "HOTPLUG"),
        [*bench.connect(board), *loader, *write_data, *write_provisioner, "-rst"],
        [*bench.connect(board), *loader, *read_back, *write_operational, "-rst"],
    ):
        assert (await bench.program(*argv))[0] == 0


@pytest.mark.parametrize("profile", PLANS)
async def test_invocations_take_what_the_study_says(tmp_path: Path, profile: str) -> None:
    """The bench's account of its delays agrees to the microsecond."""
    settings = Settings(tmp_path, time_scale=0, profile=PROFILES[profile])
    async with station(tmp_path, settings=settings) as bench:
        await run_plan(bench, bench.hub.plug(1))
        modelled = [entry["modelled"] for entry in bench.journal("invocation")]
    assert modelled == [pytest.approx(seconds, abs=2e-6) for seconds in PLANS[profile]]


async def test_time_passes_as_it_is_accounted_for(tmp_path: Path) -> None:
    """The invocations do not end before their seconds, times the scale, have passed for whoever runs them one after the other.

    The bench's own stamps would not do: on a busy machine it notes the beginning of an invocation late.
    """
    async with station(tmp_path, settings=Settings(tmp_path, time_scale=0.1)) as bench:
        board, began = bench.hub.plug(1), time.monotonic()
        await run_plan(bench, board)
        passed = time.monotonic() - began
        modelled = [entry["modelled"] for entry in bench.journal("invocation")]
    # Each of an invocation's delays is rounded to a millisecond.
    assert passed >= 0.1 * sum(float(str(each)) for each in modelled) - 0.03


async def test_work_on_the_coprocessor_takes_what_public_logs_say(tmp_path: Path) -> None:
    """Operator and state take 1 to 5 s, the transfer of a full stack 8 s, its upgrade and deletion 40 s."""
    async with station(tmp_path, settings=Settings(tmp_path, time_scale=0)) as bench:
        board = bench.hub.plug(1)
        stack = bench.file("stack.bin", made(0x01180003, 391_636))
        for argv in (
            ["-startfus"],
            ["-startfus"],
            ["-fwupgrade", stack, "0x08094000", "startstack=0"],
            ["-startwirelessstack"],
        ):
            _, output = await bench.program(*bench.connect(board), *argv)
            if "-fwupgrade" in argv:
                assert "Time elapsed during download operation: 00:00:08.0" in output
        first, second, upgrade, start = (entry["modelled"] for entry in bench.journal("invocation"))
    operator = PROFILES["fast-host-v2-1"].connect + 0.6
    assert (first, second) == (pytest.approx(operator + 3 + 4.6, abs=0.3), pytest.approx(operator + 3, abs=0.3))
    assert upgrade == pytest.approx(operator + 12 + 8.1 + 25, abs=0.5)
    assert start == second


@pytest.mark.parametrize("name", PROFILES)
def test_the_boards_own_work_takes_what_the_study_says(name: str) -> None:
    """The work is the rewriting of the factory data and one operation on the curve."""
    profile = PROFILES[name]
    assert profile.external_erase(1) + profile.block_program(BLOCK) == pytest.approx(FACTORY_DATA_REWRITE)
    assert profile.p256_operation == P256_OPERATION
