# SPDX-License-Identifier: Apache-2.0
"""Durations scatter, and are the same again for the same seed and board."""

from dataclasses import fields
from pathlib import Path
from statistics import median, stdev

import pytest

from tests.virtual_bench.bench_client import station
from virtual_bench.server.server import Settings
from virtual_bench.timing.noise import EXACT, noisy
from virtual_bench.timing.profile import PROFILES

PROFILE = PROFILES["fast-host-v2-1"]
DURATIONS = [field.name for field in fields(PROFILE) if field.type is float and field.name not in EXACT]
MANY = 400


def test_the_same_numbers_give_the_same_durations() -> None:
    """Another seed, board or occasion gives other durations."""
    drawn = noisy(PROFILE, 1, 2, 3)
    assert drawn == noisy(PROFILE, 1, 2, 3)
    assert drawn not in {noisy(PROFILE, 2, 2, 3), noisy(PROFILE, 1, 3, 3), noisy(PROFILE, 1, 2, 4)}


@pytest.mark.parametrize("name", DURATIONS)
def test_every_duration_scatters_about_its_value(name: str) -> None:
    """The median is kept; every duration changes, and none is negative."""
    drawn = [getattr(noisy(PROFILE, 1, board, 1), name) for board in range(MANY)]
    value = getattr(PROFILE, name)
    assert median(drawn) == pytest.approx(value, rel=0.03)
    assert min(drawn) > 0
    assert value not in drawn


def test_the_host_scatters_most_and_the_boot_within_its_bounds() -> None:
    """Starts and connections by 15 %, boots by at most 5 %."""
    drawn = [noisy(PROFILE, 1, board, 1) for board in range(MANY)]
    assert stdev(each.process_start for each in drawn) / PROFILE.process_start == pytest.approx(0.15, abs=0.02)
    assert all(0.95 <= each.boot / PROFILE.boot <= 1.05 for each in drawn)


def test_some_sectors_take_their_maximum() -> None:
    """Two sectors in a hundred take their maximum."""
    slow = [noisy(PROFILE, 1, board, 1).external_sector_erase == 0.650 for board in range(MANY)]
    assert sum(slow) / MANY == pytest.approx(0.02, abs=0.01)


def test_some_upgrades_of_the_coprocessor_take_a_minute() -> None:
    """Five upgrades in a hundred take a minute or longer."""
    slow = [noisy(PROFILE, 1, board, 1).fus_upgrade > 60 for board in range(MANY)]
    assert sum(slow) / MANY == pytest.approx(0.05, abs=0.02)


async def modelled(directory: Path, settings: Settings) -> list[object]:
    """The modelled seconds of two runs on each of two boards."""
    async with station(directory, settings=settings) as bench:
        for board in (bench.hub.plug(1), bench.hub.plug(2)):
            for _ in range(2):
                await bench.program(*bench.connect(board, "HOTPLUG"))
        return [entry["modelled"] for entry in bench.journal("invocation")]


async def test_a_bench_with_noise_repeats_itself(tmp_path: Path) -> None:
    """Runs differ from one another, but repeat on the next bench with the seed; without noise all are equal."""
    noisy_bench = Settings(tmp_path, time_scale=0, noise=True)
    first = await modelled(tmp_path / "first", noisy_bench)
    assert first == await modelled(tmp_path / "second", noisy_bench)
    assert len(set(first)) == 4
    assert set(await modelled(tmp_path / "quiet", Settings(tmp_path, time_scale=0))) == {0.85}
