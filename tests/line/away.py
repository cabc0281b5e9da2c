# SPDX-License-Identifier: Apache-2.0
"""Two stations whose centre is away: `make shared-away`. Every slot of both makes a unit, and then the centre hears of it.

`python -m tests.line.away --slots 64 --away 3600`: the centre stays away for so many seconds, or longer if the boards need longer.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.builders.network import Mode
from tests.builders.two_lines import Factory, factory
from virtual_bench.server import control as bench

UNITS = "SELECT count(*), count(DISTINCT (lot, idx)), count(*) FILTER (WHERE rank = 4), sum(attempts) FROM unit"
NUMBERS = "SELECT count(*), count(DISTINCT serial_number), count(DISTINCT uid) FROM identity"
CERTIFICATES = "SELECT count(*), count(DISTINCT uid), count(DISTINCT dac_serial) FROM certificate"


def tried(two: Factory, slots: int, away: float) -> bool:
    """Whether every board has passed, and the centre has each unit once, with one certificate."""
    stations = (two.first, two.second)
    for way in two.ways:
        way.become(Mode.REFUSE)
    for station in stations:
        station.until_shared(lambda shared: shared.state == "away")
    _say("the centre is away")
    began = time.monotonic()
    bench.ask(two.line.folder, "plug", ports=list(range(1, 2 * slots + 1)), new=True, radio={})
    for station in stations:
        status = station.until(lambda status: all(slot.verdict for slot in status.slots))
        verdicts = [slot.verdict for slot in status.slots]
        _say(f"{station.name}: {verdicts.count('pass')} of {len(verdicts)} passed without the centre")
        if verdicts.count("pass") < slots:
            return False
    time.sleep(max(0.0, began + away - time.monotonic()))
    lines = sum(station.until_shared(lambda _: True).lines_waiting for station in stations)
    _say(f"after {time.monotonic() - began:.0f} s the centre is back; {lines} lines wait for it")
    back = time.monotonic()
    for way in two.ways:
        way.become(Mode.OK)
    for station in stations:
        station.told()
    _say(f"it has them all {time.monotonic() - back:.1f} s later")
    made = 2 * slots
    units, numbers, certificates = two.asked(UNITS)[0], two.asked(NUMBERS)[0], two.asked(CERTIFICATES)[0]
    odd = two.asked("SELECT kind, detail FROM anomaly")
    _say(f"units {units}, serial numbers {numbers}, certificates {certificates}, anomalies {odd}")
    issued = len(two.line.issued)
    right = (made,) * 4, (made,) * 3, (made,) * 3
    return (units, numbers, certificates) == right and not odd and issued == made


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", type=int, default=64, help="of each station")
    parser.add_argument("--away", type=float, default=0, metavar="SECONDS")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, factory(Path(folder) / "line", given.slots) as two:
        two.approve()
        right = tried(two, given.slots, given.away)
    _say("each unit once" if right else "WRONG")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
