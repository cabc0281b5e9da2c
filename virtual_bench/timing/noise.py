# SPDX-License-Identifier: Apache-2.0
"""Scatters durations from board to board and from run to run, reproducibly for one seed and board. Pure."""

import hashlib
import math
from dataclasses import fields, replace
from statistics import NormalDist

from virtual_bench.timing.profile import Profile

HOST = {"process_start", "connect", "exit", "list_start", "list_probe", "list_only"}
HOST_SPREAD = 0.15  # standard deviation of the logarithm
BOOT_SPREAD = 0.05  # at most, either way
SPREAD = 0.02  # standard deviation of the logarithm of every other duration and rate: an estimate
SLOW_SECTOR, SLOW_SECTOR_ERASE = 0.02, 0.650  # share of sector erases that take the maximum, and the maximum
OTHER_SPREADS = {"fus_upgrade": 0.53}  # standard deviation of the logarithm: one in twenty takes a minute
EXACT = {"uart_bytes", "swd_khz"}  # derived from a crystal


def noisy(profile: Profile, seed: int, board: int, occasion: int) -> Profile:
    """The profile of one board on one occasion; the same numbers give the same profile."""
    scattered: dict[str, float] = {}
    for field in fields(profile):
        value = getattr(profile, field.name)
        if isinstance(value, float) and field.name not in EXACT:
            chance = _chance(f"{field.name} of board {board} on occasion {occasion} of bench {seed}")
            scattered[field.name] = _scattered(field.name, value, chance)
    return replace(profile, **scattered)  # type: ignore[arg-type]  # only the fields that are floats


def _scattered(name: str, value: float, chance: float) -> float:
    if name == "boot":
        return value * (1 + BOOT_SPREAD * (2 * chance - 1))
    if name == "external_sector_erase" and chance > 1 - SLOW_SECTOR:
        return SLOW_SECTOR_ERASE
    return value * _lognormal(OTHER_SPREADS.get(name, HOST_SPREAD if name in HOST else SPREAD), chance)


def _lognormal(spread: float, chance: float) -> float:
    """A factor whose median is 1."""
    return math.exp(spread * NormalDist().inv_cdf(chance))


def _chance(what: str) -> float:
    """A number between 0 and 1, exclusive."""
    return (int.from_bytes(hashlib.sha256(what.encode()).digest()[:6]) + 0.5) / 2**48
