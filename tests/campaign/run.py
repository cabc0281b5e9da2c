# SPDX-License-Identifier: Apache-2.0
"""Boards in their hundreds, and everything that can befall them: `make campaign BOARDS=2000 SEED=1`, `ARGS="--stations 2"`.

People at all slots seat boards, and seat them again until they pass; a referee judges what is left. Exits with 1 if a promise
is broken, with the shortest story that still breaks it, or if something was planned and has never happened.
"""

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from tests.builders.station_demo import SHORT_DEADLINES
from tests.campaign.canaries import ProcessSampler
from tests.campaign.disasters import Disasters
from tests.campaign.ending import at_rest
from tests.campaign.evidence import Evidence
from tests.campaign.people import People
from tests.campaign.recorded import left_by
from tests.campaign.referee.judge import violations
from tests.campaign.referee.violation import Violation
from tests.campaign.shrinking import shrunk, told
from tests.campaign.story import Disturbance, story, table
from tests.campaign.watching import Watch
from tests.campaign.world import World, one_line, two_stations
from tests.mes.receiver import Receiver

SHRINKING_RUNS = 8
DEADLINES = {
    **SHORT_DEADLINES,
    # so that a programmer which hangs and has outlived its daemon is ended after three minutes
    "STATION__PROGRAMMER__CONNECT_WITHIN": "90",
}
OFTEN = 5  # what was planned so many times must have happened


@dataclass(frozen=True, slots=True)
class Size:
    """So many boards at so many slots of one line, or of two stations together; `seed` is that of the people, too.

    `mixed`: each start of the line's daemon changes the recipe's plan.
    """

    boards: int
    slots: int
    seed: int
    stations: int = 1
    mixed: bool = False


def run(folder: Path, disturbances: Sequence[Disturbance], size: Size) -> tuple[Path, Counter[str]]:
    """Plays the story in a new folder. Returns what it leaves, and how often each knob fired."""
    fired = Counter[str]()

    def play(world: World, receiver: Receiver, sampler: ProcessSampler) -> Mapping[str, object]:
        disasters = Disasters(world, receiver, random.Random(size.seed), fired)
        watch = Watch(world, sampler, size.boards)
        people = People(world, disturbances, disasters, watch, random.Random(size.seed))
        people.play(size.boards)
        at_rest(world)
        return {
            "boards": people.boards,
            "troubles": disasters.troubles,
            "kills": disasters.kills,
            "samples": watch.samples,
            "labels": True,
            "answers": watch.answers,
        }

    standing = one_line(size.slots, mixed=size.mixed) if size.stations == 1 else two_stations(size.slots)
    left = left_by(play, folder, standing, DEADLINES, packed=True)
    fired.update(what for happened in Evidence.read(left).bench.faults.values() for _, what in happened)
    return left, fired


def judged(folder: Path, disturbances: Sequence[Disturbance], size: Size) -> list[Violation]:
    """Plays the story again, and forgets what it left."""
    try:
        return violations(Evidence.read(run(folder, disturbances, size)[0]))
    finally:
        shutil.rmtree(folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exits with 1 if a promise is broken, or something was planned and has never happened."""
    parser = argparse.ArgumentParser(prog="make campaign", description=__doc__)
    parser.add_argument("--boards", type=int, default=2000)
    parser.add_argument("--slots", type=int, default=8, help="at which people work; each station has one more")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stations", type=int, choices=(1, 2), default=1, help="with one PostgreSQL, if two")
    parser.add_argument(
        "--calm", action="store_true", help="nobody pulls a board, and of the line only the daemon dies"
    )
    parser.add_argument("--mixed", action="store_true", help='change between plan = "flash" and "ram" at each start')
    parser.add_argument("--keep", type=Path, help="leave the evidence in this folder, which must not exist yet")
    asked = parser.parse_args(arguments)
    if asked.keep is not None and asked.keep.exists():
        parser.error(f"{asked.keep} exists: name a folder that does not")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing that it started outlives it
    if asked.mixed and asked.stations > 1:
        parser.error("--mixed is for one line: stations with one PostgreSQL make what their people have approved")
    size = Size(asked.boards, asked.slots, asked.seed, asked.stations, asked.mixed)
    planned = story(size.seed, size.boards, calm=asked.calm, stations=size.stations, mixed=size.mixed)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        left, fired = run(asked.keep or Path(folder) / "first", planned, size)
        found = violations(Evidence.read(left))
        never = [
            name
            for name, times in sorted(Counter(each.what for each in planned).items())
            if times >= OFTEN and not fired[name]
        ]
        disturbed = len({each.board for each in planned})
        kills = sum(number for name, number in fired.items() if name.endswith("killed"))
        _say(*table(planned, fired), *(f"NEVER HAPPENED  {each}" for each in never))
        _say(*(f"BROKEN  {each.promise}: {each.what}" for each in found))
        seconds = time.monotonic() - began
        _say(
            f"seed {asked.seed}: {asked.boards} boards in {seconds:.0f} s, {disturbed} of them disturbed, {kills} kills,"
            f" {len(found)} violations"
        )
        if found:
            _shrink(planned, size, Path(folder) / "again", {each.promise for each in found})
    return 1 if found or never else 0


def _shrink(planned: Sequence[Disturbance], size: Size, folder: Path, promises: AbstractSet[str]) -> None:
    """Says with how little of the story one of these promises breaks."""

    def fails(part: Sequence[Disturbance]) -> bool:
        again = judged(folder, part, size)
        return bool(promises & {each.promise for each in again})

    short = shrunk(planned, fails, SHRINKING_RUNS)
    options = f' ARGS="--stations {size.stations}"' if size.stations > 1 else ' ARGS="--mixed"' * size.mixed
    _say(told(size.seed, short.story, len(planned), f"make campaign BOARDS={size.boards} SEED={size.seed}{options}"))


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
