# SPDX-License-Identifier: Apache-2.0
"""The bandwidth that full-speed probes behind one hub share."""

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.virtual_bench.bench_client import Station, station
from virtual_bench.hub.translator import HubKind, Translator
from virtual_bench.server.server import Settings
from virtual_bench.timing.profile import PROFILES


class Pauses:
    """A wait that counts its seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0

    async def __call__(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.mark.parametrize(
    ("rates", "shares"),
    [
        ([600.0], [600.0]),
        ([400.0, 600.0], [400.0, 600.0]),
        ([600.0, 600.0], [500.0, 500.0]),
        ([100.0, 800.0, 800.0], [100.0, 450.0, 450.0]),
    ],
)
def test_nobody_gets_more_than_it_needs_nor_less_than_an_even_part(rates: list[float], shares: list[float]) -> None:
    """The translator carries 1000 bytes a second."""
    translator = Translator(1000.0)
    with ExitStack() as everybody:
        for rate in rates:
            everybody.enter_context(translator.used(rate))
        assert [translator.share(rate) for rate in rates] == shares


@pytest.mark.parametrize(("transfers", "slower"), [(1, 1.0), (4, 1.0), (7, 7 * 0.225)])
async def test_seven_writes_at_once_are_more_than_a_translator_carries(transfers: int, slower: float) -> None:
    """Four writing probes do not slow one another down; seven share 1 MB/s evenly."""
    translator, rate, pauses = Translator(), PROFILES["fast-host-v2-1"].swd_write, Pauses()
    with ExitStack() as everybody:
        for _ in range(transfers):
            everybody.enter_context(translator.used(rate))
        await translator.carry(round(rate), rate, pauses)
    assert pauses.seconds == pytest.approx(slower)


async def seconds_of_writes(bench: Station) -> float:
    """The seconds, by the bench's account, of seven boards that are programmed at the same time."""
    boards = [bench.hub.plug(port) for port in bench.hub.ports]
    firmware = bench.file("firmware.bin", b"\x55" * 40_000)
    async with asyncio.TaskGroup() as tasks:
        for board in boards:
            tasks.create_task(bench.program(*bench.connect(board), "-d", firmware, "0x08000000"))
    return sum(float(str(entry["modelled"])) for entry in bench.journal("invocation"))


SLOW_BUS = replace(PROFILES["fast-host-v2-1"], swd_write=1e6, double_word=0.0)  # two of these fill a translator


@pytest.mark.parametrize(
    ("kind", "high_speed", "shared"),
    [(HubKind.MULTI_TT, False, False), (HubKind.SINGLE_TT, True, False), (HubKind.SINGLE_TT, False, True)],
)
async def test_only_full_speed_probes_behind_one_translator_share(
    tmp_path: Path, kind: HubKind, *, high_speed: bool, shared: bool
) -> None:
    """A probe with its own translator, or with none, is as fast as alone."""
    profile = replace(SLOW_BUS, high_speed=high_speed)
    settings = Settings(tmp_path, probes=7, time_scale=0.5, profile=profile, hub=kind)
    async with station(tmp_path, settings=settings) as bench:
        taken = await seconds_of_writes(bench)
    alone = 7 * (0.25 + 0.50 + 0.22 + 10 * 0.022 + 0.04 + 0.10)
    assert (taken > alone + 1e-3) == shared
