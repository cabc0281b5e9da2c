# SPDX-License-Identifier: Apache-2.0
"""A small campaign whose remains the referee's tests spoil: five boards on one line, each with a trouble of its own."""

import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from tests.builders.line import Line
from tests.builders.station_demo import PATIENT_DEADLINES
from tests.campaign.canaries import ProcessSampler
from tests.campaign.centre_dump import dump
from tests.campaign.referee.boards import pack
from tests.campaign.referee.remains import observed
from tests.campaign.world import ALONE, Standing, World, on_a_machine_of_its_own, one_line
from tests.line.lot_count import Tray
from tests.line.standing_line import Standing as Seated
from tests.line.test_lost_answers import switch
from tests.mes.receiver import Receiver, posted

STATION = ALONE
GOOD, PULLED, REFUSED, LOST, DEAD = 1, 2, 3, 4, 5  # the boards' numbers, which are those of their slots
FAULTS: Mapping[int, str] = {
    PULLED: "--at deliver --what unplug",
    REFUSED: "--at deliver --what qspi_error",
    DEAD: "--at flash_operational --what verify_mismatch",
}
ATTEMPTS = 7  # two boards need two
NOT_OF_THE_STATION = ("boards", "pki", "dev", "sys", "STM32CubeProgrammer", "bench.jsonl", "*.sock")


Play = Callable[[World, Receiver, ProcessSampler], Mapping[str, object]]
"""What happens there; returns the campaign's account of it."""


def left_by(
    play: Play, folder: Path, standing: Standing, deadlines: Mapping[str, str], *, packed: bool = False
) -> Path:
    """Stands up a world with printer, PKI and MES, plays, and stops everything. Returns the folder of what is left.

    `packed`: of the boards' memories only what the referee reads.
    """
    work, left = folder / "work", folder / "left"
    work.mkdir(parents=True)
    receiver, sampler = Receiver(), ProcessSampler(work / "processes.jsonl")
    with on_a_machine_of_its_own(work, deadlines) as runtime, posted(receiver):
        with standing(work, receiver) as world:
            account = play(world, receiver, sampler)
            if world.factory is not None:
                dump(world.factory, work / "centre")
        remains = observed(work, runtime)
    if packed:
        for board in (work / "line" / "boards").iterdir():
            pack(board)
    laid_out(work, left, [each.name for each in world.stations], receiver, account)
    remains.save(left)
    return left


def recorded(folder: Path) -> Path:
    """Runs the campaign; returns the folder that it leaves."""

    def play(world: World, _: Receiver, sampler: ProcessSampler) -> Mapping[str, object]:
        _played(Seated(world.line), lambda: sampler.sample(each.pid for each in world.line.processes.values()))
        _at_rest(world.line, world.tray)
        return _story()

    return left_by(play, folder, one_line(DEAD), PATIENT_DEADLINES)


def _played(line: Seated, look: Callable[[], None]) -> None:
    """Boards pass one after another, but one that a person puts away."""
    for number in range(GOOD, DEAD + 1):
        if number in FAULTS:
            line.bench("fault", "--board", str(number), *FAULTS[number].split())
        if number == LOST:
            switch(line, drop_after_issue=1)
        line.bench("plug", str(number))
        look()
        if number == PULLED:
            line.pulled_by_its_fault(number)
            line.bench("plug", str(number))
        verdict = line.wait(number, lambda slot: slot.verdict is not None).verdict
        if verdict == "fail" and number != DEAD:
            line.bench("unplug", str(number))
            line.wait(number, lambda slot: slot.probe is None)
            line.bench("plug", str(number))
            verdict = line.wait(number, lambda slot: slot.verdict is not None).verdict
        assert verdict == ("fail" if number == DEAD else "pass"), (number, verdict)
    look()


def _at_rest(line: Line, tray: Tray) -> None:
    """Waits until each passed unit has its label, and until the ledger has it that the receiver took every event."""
    deadline = time.monotonic() + 300
    while (seen := _sent(line.folder / "ledger.sqlite")) != (ATTEMPTS, 0) or len(tray.prints()) < DEAD - 1:
        assert time.monotonic() < deadline, (seen, tray.prints())
        time.sleep(0.02)


def _sent(ledger: Path) -> tuple[int, int]:
    """How many events there are, and how many of them wait."""
    with closing(sqlite3.connect(ledger)) as connection:
        (found,) = connection.execute("SELECT count(*), count(*) - count(sent_at) FROM outbox").fetchall()
    return int(found[0]), int(found[1])


def _story() -> dict[str, object]:
    samples = [
        {"at": at, "station": STATION, "pid": 4711, "rss": 60e6 + 1e5 * (at % 7), "fds": 40 + at % 3}
        for at in range(48)
    ]
    return {"boards": [{"number": DEAD, "disturbed": [], "away": "dead"}], "labels": True, "samples": samples}


def laid_out(
    work: Path, left: Path, stations: Sequence[str], receiver: Receiver, account: Mapping[str, object]
) -> None:
    """Sorts what is left into the folders of a campaign: each station's, and those of bench, PKI, printer and centre.

    What the receiver has taken and the campaign's account stand beside them.
    """
    line = work / "line"
    (left / "bench").mkdir(parents=True)
    shutil.copytree(line / "boards", left / "bench" / "boards")
    shutil.copy(line / "bench.jsonl", left / "bench")
    shutil.copytree(line / "pki", left / "pki")
    shutil.copytree(work / "printer", left / "printer")
    others = shutil.ignore_patterns(*NOT_OF_THE_STATION, *(stations if len(stations) > 1 else ()))
    shutil.copytree(line, left / (stations[0] if len(stations) == 1 else "common"), ignore=others)
    for name in stations if len(stations) > 1 else ():
        shutil.copytree(line / name, left / name, ignore=others)
        shutil.move(left / "common" / f"{name}.toml", left / name / "line.toml")
    if (work / "centre").exists():
        shutil.copytree(work / "centre", left / "centre")
    for name in ("processes.jsonl", "webhook.secret"):
        shutil.copy(work / name, left)
    (left / "mes.jsonl").write_text("".join(f"{json.dumps(event)}\n" for event in receiver.taken), encoding="utf-8")
    (left / "campaign.json").write_text(json.dumps(account), encoding="utf-8")
