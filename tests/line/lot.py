# SPDX-License-Identifier: Apache-2.0
"""A whole work order with everything that befalls one, and its balance by an independent count: `make lot`.

`python -m tests.line.lot --units 100 --faults 20`: people at all slots seat boards, some of them faulty, scan labels, swap
some, have some printed again, scrap units and release others; samples come due; media end, the MES is down for a while.
"""

import argparse
import itertools
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

from station.adapters.system.secret_files import SHARED_MEMORY
from tests.builders.json_lines import objects_of
from tests.builders.line import Line, recipe_with
from tests.builders.station_demo import PATIENT_DEADLINES
from tests.line.lot_count import Outcome, Tray
from tests.line.lot_people import FOR_EVER, LOT, SCRAPPED, SPOILED, Place, Run, Samples
from tests.line.lot_words import compared, say
from tests.line.standing_line import Standing
from tests.line.test_lost_answers import switch
from tests.mes.receiver import SECRET, Receiver, posted

# What befalls a board: the fault that the bench gets, and the name of what people do then.
STORIES: Sequence[tuple[Mapping[str, object], str]] = (
    ({"at": "deliver", "what": "qspi_error"}, "scrapped"),  # its certificate was bought, and never reached it
    ({**SPOILED, "times": 3}, "released"),
    ({"at": "relay_to_pki", "what": "unplug"}, "pulled"),
    ({**SPOILED, "times": FOR_EVER}, "dead"),
    (SPOILED, "again"),
    ({"at": "flash_operational", "what": "verify_mismatch"}, "again"),
    ({"at": "deliver", "what": "qspi_error"}, "again"),
)
LABELS = ("first", "first", "damaged", "first", "swapped", "first", "lost")
"""What becomes of the labels of good units, in turn."""


class Troubles:
    """What happens to the line meanwhile, each once so many units have left."""

    def __init__(self, run: Run, samples: Samples) -> None:
        self.run = run
        self._planned: list[tuple[float, Callable[[], None]]] = [
            (0.1, lambda: switch(Standing(run.line), drop_after_issue=1)),
            (0.2, self.media_end),
            (0.3, samples.added),
            (0.5, self.mes_goes),
            (0.6, self.no_media),
            (0.65, self.mes_comes),
            (0.7, samples.due_again),
        ]

    def come(self) -> None:
        """Returns when all have come and gone."""
        for share, trouble in self._planned:
            wanted = int(share * self.run.units)
            self.run.until(lambda wanted=wanted: self.run.left >= wanted, f"{wanted} units")  # type: ignore[misc]
            trouble()

    @property
    def is_over(self) -> bool:
        """Whether the people were faster than these troubles, so that no further label comes."""
        return self.run.left >= self.run.units

    def _printer(self, mode: str) -> None:
        new = self.run.tray.folder / ".new"
        new.write_text(mode)
        new.replace(self.run.tray.folder / "mode")

    def media_end(self) -> None:
        """In the middle of a label; somebody puts in new ones."""
        self._printer("half")
        self.run.until(lambda: bool(self.run.asks("label_status")["unproven"]) or self.is_over, "half a label")
        self._printer("ready")

    def no_media(self) -> None:
        """Labels wait meanwhile."""
        self._printer("media-out")
        self.run.until(lambda: self.run.asks("label_status")["fault"] is not None or self.is_over, "a label that waits")
        self._printer("ready")

    def mes_goes(self) -> None:
        self.run.receiver.mode = "503"

    def mes_comes(self) -> None:
        self.run.receiver.mode = "ok"


def stories(units: int, faults: int) -> Iterator[tuple[Mapping[str, object] | None, str, str]]:
    """Fault, story and label of each board, until so many units have left; faulty ones are spread over the lot."""
    befallen = itertools.islice(itertools.cycle(STORIES), faults)
    every, good, labels = max(1, units // max(1, faults)), 0, itertools.cycle(LABELS)
    cracked = {2 * every + 1, 4 * every + 1}  # two that are not faulty
    for number in itertools.count():
        fault, story = next(befallen, (None, "good")) if number % every == 0 else (None, "good")
        if story == "good" and number in cracked:
            story = "cracked"  # it passed, and broke on its way
        yield fault, story, next(labels)
        good += story not in SCRAPPED
        if good == units:
            return


def made(run: Run, slots: int) -> None:
    """The lot, from the first board to one that is too many."""
    began, size = time.monotonic(), str(run.units + 40)
    numbers = ("--planned", str(run.units), "--pattern", "W1-{:05d}", "--first", "1", "--size", size)
    done = run.line.command("lots", "open", LOT, "--work-order", "4711", *numbers, "--reason", "as ordered")
    assert done.returncode == 0, done.stdout + done.stderr
    samples, places = Samples(run, slots + 1), [Place(run, port) for port in range(1, slots + 1)]
    samples.made()
    waiting = stories(run.units, run.faults)
    turn = threading.Lock()

    def serve(place: Place) -> None:
        while True:
            with turn:
                board = next(waiting, None)
            if board is None:
                return
            place.serves(*board)

    def does(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException:
            run.failed = True
            raise

    with ThreadPoolExecutor(slots + 1) as people:
        work: list[Callable[[], None]] = [partial(serve, place) for place in places]
        work.append(Troubles(run, samples).come)
        ends = [people.submit(does, each) for each in work]
    if wrong := [found for end in ends if (found := end.exception()) is not None]:
        raise wrong[0] if len(wrong) == 1 else BaseExceptionGroup("the people", wrong)
    one_too_many(run, places[0])
    for place in (*places, samples.good, samples.bad):
        place.leaves()
    say(f"{run.left} units have left after {time.monotonic() - began:.0f} s")
    run.until(lambda: all(not sink.pending for sink in run.line.status().mes.sinks), "the outbox is empty")  # type: ignore[union-attr]


def one_too_many(run: Run, place: Place) -> None:
    """A board for which the order has no room."""
    place.new()
    run.until(lambda: run.line.status().line.fault == "lot.full", "the order is full")
    run.notes.refused.add(place.uid)
    place.pull()


@contextmanager
def standing(folder: Path, slots: int, receiver: Receiver) -> Iterator[tuple[Line, Tray]]:
    """A line with a label printer and an MES."""
    tray, secret = folder / "printer", folder / "webhook.secret"
    tray.mkdir()
    (folder / "logs").mkdir()
    secret.write_text(SECRET)
    secret.chmod(0o600)
    printer = Line(folder, folder)
    printer.start("printer", "virtual_bench", "printer", "--dir", str(tray))
    try:
        printer.wait_for("printer", (tray / "port").exists)
        address = f"tcp://127.0.0.1:{(tray / 'port').read_text()}"
        recipe = recipe_with(folder, f'[label]\nsize_mm = [50, 25]\nprinter = "{address}"\nrequired = true')
        mes = f'[samples]\nprobes = false\n[mes]\nwebhook = "{receiver.url}"\nsecret_file = "{secret}"\n'
        with Line.standing(folder / "line", slots + 2, recipe=recipe, further=mes) as line:
            yield line, Tray(tray)
    finally:
        printer.processes["printer"].send_signal(signal.SIGTERM)
        printer.processes["printer"].wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exits with 1 if anything does not add up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=100)
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--slots", type=int, default=8)
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that nothing that it started outlives it
    began, receiver = time.monotonic(), Receiver()
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as runtime,
        patch.dict(os.environ, PATIENT_DEADLINES | {"XDG_STATE_HOME": f"{folder}/machine", "XDG_RUNTIME_DIR": runtime}),
        posted(receiver),
        standing(Path(folder), asked.slots, receiver) as (line, tray),
    ):
        run = Run(line, tray, receiver, asked.units, asked.faults)
        made(run, asked.slots)
        issued = objects_of(line.folder / "pki" / "issued.jsonl")
        events = list({str(event["id"]): event for event in receiver.taken}.values())
        outcome = Outcome(run.boards, issued, tray.prints(), events, run.notes)
        wrong = [*outcome.mistakes(), *compared(line, outcome)]
    notes = run.notes
    say(
        json.dumps(
            {
                "units": len(outcome.good),
                "faults": asked.faults,
                "boards": len(outcome.boards),
                "scrapped": len(notes.scrapped),
                "quarantined": len(notes.quarantined),
                "released": len(notes.released),
                "swapped labels": notes.swapped,
                "events": len(events),
                "seconds": round(time.monotonic() - began, 1),
            }
        )
    )
    for each in wrong:
        say(f"wrong: {each}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
