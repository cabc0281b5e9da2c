# SPDX-License-Identifier: Apache-2.0
"""A line in real time, at a factory's rates: `make soak HOURS=2`, or `python -m tests.soak.run --hours 2`.

Takes its figures every ten seconds into a CSV file, plots them, and judges them: exits with 1 if memory or descriptors
grow, the WAL is not bounded, or the event loop is later at the end than at the start. Ctrl-C ends a run early; what it
has is judged. `--judge FILE` judges the figures of an earlier run, or of one that still goes on.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

from benchmarks.listeners import listening
from station.adapters.system.secret_files import SHARED_MEMORY
from tests.builders.line import Line, LineFailed
from tests.builders.station_demo import PATIENT_DEADLINES
from tests.mes.receiver import SECRET, Receiver, posted
from tests.soak.figures import FiguresUnreadable, Writer, read, written
from tests.soak.judging import judged
from tests.soak.people import People, asked
from tests.soak.plot import drawn
from tests.soak.sampler import Sampler
from virtual_bench.server.control import BenchAbsent

ROOT = Path(__file__).resolve().parents[2]
PAGES = 2
LOOKED_EVERY = 0.5
TOLD_EVERY = 600.0
ENDS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def standing(folder: Path, slots: int, seed: int, time_scale: float) -> Iterator[Line]:
    """A line with an MES and open pages."""
    folder, receiver, secret = folder.resolve(), Receiver(), folder.resolve() / "webhook.secret"
    secret.touch(0o600)
    secret.write_text(SECRET)
    with (
        tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as runtime,
        patch.dict(
            os.environ, {**PATIENT_DEADLINES, "XDG_STATE_HOME": f"{folder}/machine", "XDG_RUNTIME_DIR": runtime}
        ),
        posted(receiver),
    ):
        mes = f'[mes]\nwebhook = "{receiver.url}"\nsecret_file = "{secret}"\n'
        with Line.standing(folder / "line", slots, seed=seed, time_scale=time_scale, further=mes) as line:
            page = asked(line).page
            assert page is not None
            assert page.url is not None
            with listening(page.url, PAGES):
                yield line


def soak(line: Line, people: People, writer: Writer, *, until: Callable[[], bool], every: float) -> None:
    """People work at the line until then, and figures are taken. Raises `LineFailed` if the daemon is gone."""
    sampler = Sampler(line, lambda: people.interventions)
    due = told = time.monotonic()
    while not until():
        people.work()
        if (now := time.monotonic()) >= due:
            due = max(due + every, now)
            figures = sampler.sample()
            writer.add(figures)
            if now >= told:
                told += TOLD_EVERY
                _say(
                    f"after {figures.seconds / 60:.0f} min: {figures.passed:.0f} passed, {figures.not_passed:.0f} not, "
                    f"{figures.memory / 1e6:.1f} MB, {figures.descriptors:.0f} descriptors"
                )
        time.sleep(LOOKED_EVERY)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exits with 1 if a figure grows beyond noise, the line did not make good units all the time, or the run was too short."""
    options = _parsed(arguments)
    if options.judge is not None:
        return _judged(options.judge)
    for end in ENDS:
        signal.signal(end, _end)
    path = options.to / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}.csv"
    broken = _recorded(path, options)
    return _judged(path) or broken


def _end(_number: int, _frame: object) -> None:
    """Ends the run in order, once: a second Ctrl-C would leave a process of the line behind."""
    for end in ENDS:
        signal.signal(end, signal.SIG_IGN)
    raise KeyboardInterrupt


def _recorded(path: Path, options: argparse.Namespace) -> int:
    """Takes the figures into this file until the time is over or somebody presses Ctrl-C. Returns 1 if the line broke."""
    slots, every = options.slots, 3600 / options.boards_an_hour
    with written(path) as writer, tempfile.TemporaryDirectory() as folder:
        _say(f"{slots} slots, {options.boards_an_hour:g} boards an hour each, for {options.hours:g} hours: {path}")
        try:
            with standing(Path(folder), slots, options.seed, options.time_scale) as line:
                people = People(line, slots, every, random.Random(options.seed))
                end = time.monotonic() + options.hours * 3600
                soak(line, people, writer, until=lambda: time.monotonic() >= end, every=options.every)
        except KeyboardInterrupt:
            _say("ended early")
        except (LineFailed, BenchAbsent) as exc:
            _say(f"BAD   the line broke: {exc}", *getattr(exc, "__notes__", ()))
            return 1
    return 0


def _judged(path: Path) -> int:
    """Draws the figures beside their file, and says what they say. Returns 1 if one of them is bad."""
    try:
        rows = read(path)
    except FiguresUnreadable as exc:
        _say(str(exc))
        return 1
    findings, plot = judged(rows), path.with_suffix(".svg")
    _say(*(f"{'good' if each.good else 'BAD '}  {each.says}" for each in findings))
    if rows:
        plot.write_text(drawn(rows, findings, path.stem), encoding="utf-8")
        _say(f"figures: {path}", f"plot: {plot}")
    return int(not all(each.good for each in findings))


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--boards-an-hour", type=float, default=150.0, help="at each slot; a cycle takes 17 s")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two samples")
    parser.add_argument("--time-scale", type=float, default=1.0, help="of the bench: 1 is real time, 0 no delay at all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--to", type=Path, default=ROOT / "build" / "soak", help="folder for figures and plot")
    parser.add_argument("--judge", type=Path, metavar="FILE", help="stand up no line: judge and plot these figures")
    return parser.parse_args(arguments)


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
