# SPDX-License-Identifier: Apache-2.0
"""The size of a campaign and its chance."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LOT, FORMAT, FIRST, SIZE = "LT26", "LT26-{:08d}", 1, 4_000_000
FLEET_KEY = bytes(range(32))


@dataclass(frozen=True)
class Plan:
    """One campaign. Seconds, unless a comment says otherwise."""

    stations: int = 100
    slots: int = 64
    seconds: float = 900.0
    """For which disasters come; the drain follows."""
    seed: int = 1
    cycle: float = 200.0
    """About which a board is in its slot."""
    rate: float = 1.0
    """Disasters in a second, beside those that come to every campaign."""
    pair_space: int = 4_000_000
    """Pairs that stations draw from: few, so that two stations draw the same."""
    lost_answers: float = 0.02
    """Share of the PKI's answers that are lost."""
    drain: float = 600.0
    bugs: tuple[str, ...] = ()
    folder: Path | None = None

    @property
    def names(self) -> list[str]:
        return [f"line-{number}" for number in range(1, self.stations + 1)]


def role(station: str) -> str:
    """The database role of a station."""
    return station.replace("-", "_")


def parsed(arguments: Sequence[str] | None = None) -> Plan:
    """The plan that the command line asks for."""
    default = Plan()
    parser = argparse.ArgumentParser(prog="make campaign-shared ARGS=…", description=__doc__)
    parser.add_argument("--stations", type=int, default=default.stations)
    parser.add_argument("--slots", type=int, default=default.slots, help="of each station")
    parser.add_argument("--seconds", type=float, default=default.seconds, help="for which disasters come")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--cycle", type=float, default=None, help="seconds for which a board is in its slot")
    parser.add_argument("--rate", type=float, default=default.rate, help="disasters in a second")
    parser.add_argument("--pair-space", type=int, default=default.pair_space)
    parser.add_argument("--lost-answers", type=float, default=default.lost_answers)
    parser.add_argument("--drain", type=float, default=default.drain, help="seconds for the last lines to arrive")
    parser.add_argument("--bug", action="append", default=[], dest="bugs", help="plant this fault in every station")
    parser.add_argument("--folder", type=Path, help="keep everything in this new folder")
    told = vars(parser.parse_args(arguments))
    cycle = told.pop("cycle") or max(3.0, told["stations"] * told["slots"] / UNITS_A_SECOND)
    return Plan(cycle=cycle, bugs=tuple(told.pop("bugs")), **told)


UNITS_A_SECOND = 24.0  # that two cores make at most, with all that surrounds them
