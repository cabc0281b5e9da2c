# SPDX-License-Identifier: Apache-2.0
"""`kill -9` of the daemon at each moment between verdict, print, scan and delivery: `make kills`.

`python -m tests.line.kills TEXT …` tries only the moments whose names have one of the texts.

Each moment gets a board of its own. After the kill the daemon is started again, and a person does what the station asks for. Then no
label was printed twice silently, no verdict is missing at a receiver, and none has two ids.
"""

import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from station.adapters.ledger import outbox
from station.config.mes import MQTT, WEBHOOK
from station.daemon import control
from tests.builders.line import Line, recipe_with
from tests.builders.printer import printing
from tests.builders.station_demo import SHORT_DEADLINES
from tests.line import struck
from tests.line.kill_moments import MOMENTS, Moment
from tests.line.killed_line import Died, KilledLine
from tests.mes.abroad import Abroad
from tests.mes.receiver import SECRET

MOST_BOARDS = 3
SINKS = (WEBHOOK, MQTT)
ANOTHERS = "MT:Y.K9042C00KA0648G00"  # the code of no unit of ours


@dataclass
class Kills(KilledLine):
    """A line of one slot, whose boards' ways end at a moment."""

    abroad: Abroad
    folder: Path
    given_up: set[str] = field(default_factory=set)
    """Units of which a verdict was given up and tried again by a person, after later ones."""

    @classmethod
    @contextmanager
    def standing(cls, folder: Path) -> Iterator["Kills"]:
        secret = folder / "webhook.secret"
        secret.touch(0o600)
        secret.write_text(SECRET)
        with Abroad(folder).running() as abroad, printing(folder) as label:
            mes = {"WEBHOOK": abroad.urls[WEBHOOK], "SECRET_FILE": str(secret), "MQTT": abroad.urls[MQTT]}
            settings = SHORT_DEADLINES | {f"STATION__MES__{key}": value for key, value in mes.items()}
            recipe = recipe_with(folder / "recipe", label)
            with (
                patch.dict(os.environ, settings | {struck.FOLDER: str(folder)}),
                Line.standing(folder / "line", 1, recipe=recipe, program="tests.line.struck") as line,
            ):
                kills = cls(line, folder / "printer", abroad, folder)
                abroad.receiver.before_answer = lambda: kills._passing("in the webhook's hands")
                yield kills

    @property
    def passed(self) -> set[str]:
        """The moments that were passed so far."""
        return set((self.folder / struck.PASSED).read_text(encoding="ascii").splitlines())

    def undisturbed(self) -> None:
        """A board goes the whole way, and all is checked."""
        self._plug()
        self._go()
        self._end(Moment(""))

    def killed_at(self, moment: Moment) -> None:
        """A board goes the whole way, on which the daemon is killed; then it is started again."""
        for _ in range(MOST_BOARDS):
            if self._dies_at(moment):
                return
        raise AssertionError(f"the daemon lives, and has not passed the moment {moment.name!r}")

    def _dies_at(self, moment: Moment) -> bool:
        """False if a board went by another way: on a slow PC the printer's answer may be late, and the print unproven."""
        self._trouble(moment.trouble)
        (self.folder / struck.STRIKE).write_text(moment.name, encoding="ascii")
        self._plug()
        try:
            self._go(wrong=moment.trouble == "a wrong label")
        except Died:
            assert not (self.folder / struck.STRIKE).exists(), "the daemon died by itself"
            assert self.line.processes["daemon"].returncode == -9
        else:
            (self.folder / struck.STRIKE).unlink()
            self._end(Moment(""))
            return False
        self._trouble("")
        self.line.start_daemon()
        self._end(moment)
        return True

    def _passing(self, moment: str) -> None:
        struck.passing(self.folder, moment, self.line.processes["daemon"].kill)

    def _trouble(self, trouble: str) -> None:
        (self.tray / "mode").write_text("half" if trouble == "half a label" else "ready")
        self.abroad.receiver.mode = {"the webhook is down": "down", "the webhook refuses": "400"}.get(trouble, "ok")
        if trouble == "the broker is down":
            self.abroad.broker(up=False)
        elif self.abroad.ear is None:
            self.abroad.broker(up=True)

    # --- one board's way ------------------------------------------------------------------------------------------------

    def _go(self, *, wrong: bool = False) -> None:
        """To the last delivery; raises `Died`."""
        uid = self._until_passed()
        self._until_printed(uid)
        if wrong:
            self._scan(ANOTHERS)
        self._scan(self._code(uid))
        self._until(lambda: not outbox.listed(self.ledger))

    def _end(self, moment: Moment) -> None:
        """What a person does after the daemon was started again, and what must hold then."""
        uid = self._until_passed()
        state = self._until_printed(uid)
        if moment.on_paper:
            self._until(lambda: bool(self._prints(uid)))
        reprinted = state == "unproven" and not moment.on_paper
        if reprinted:
            self._reprint(uid)
        self._scan(self._code(uid))
        if moment.trouble == "the webhook refuses":
            self._until(lambda: all(entry.dead_at for entry in outbox.listed(self.ledger)))
            if self._listed():
                self.given_up.add(uid)
                done = self.line.command("outbox", "retry", "--dead", "--reason", "mended")
                assert done.returncode == 0, done.stdout + done.stderr
        self._until(lambda: not outbox.listed(self.ledger))
        self._check_labels(uid, reprinted=reprinted)
        self._check_events()
        self._pull()

    def _listed(self) -> bool:
        return bool(outbox.listed(self.ledger))

    def _scan(self, code: str) -> None:
        try:
            super()._scan(code)
        except control.CommandRefused:
            assert code == ANOTHERS

    # --- what holds -----------------------------------------------------------------------------------------------------

    def _check_events(self) -> None:
        """Both receivers know each verdict by one id, and in each unit's order; a repetition says the same."""
        rows = self._asked("SELECT id, verdict FROM attempt ORDER BY id")
        assert all(verdict for _, verdict in rows), rows
        verdicts = {number for number, _ in rows}
        for sink in SINKS:
            self._until(lambda sink=sink: {attempt for _, attempt in self._told(sink)} >= verdicts)  # type: ignore[misc]
            told = self._told(sink)
            assert {attempt for _, attempt in told} == verdicts, sink
            assert len(set(told)) == len(verdicts), f"{sink}: one verdict has two ids, or two have one"
            by_id, order = defaultdict[object, list[object]](list), defaultdict[object, list[int]](list)
            for event in self.abroad.events(sink):
                by_id[event["id"]].append(event)
                order[event["subject"]].append(_attempt(event))
            assert all(event == same[0] for same in by_id.values() for event in same), sink
            in_order = [each for subject, each in order.items() if subject not in self.given_up]
            assert all(list(dict.fromkeys(each)) == sorted(set(each)) for each in in_order), sink

    def _told(self, sink: str) -> list[tuple[object, int]]:
        return [(event["id"], _attempt(event)) for event in self.abroad.events(sink)]


def _attempt(event: Mapping[str, object]) -> int:
    data = event["data"]
    assert isinstance(data, dict)
    return int(data["attempt"])


def main(texts: Sequence[str]) -> None:
    chosen = [moment for moment in MOMENTS if not texts or any(text in moment.name for text in texts)]
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="kills-") as folder,
        patch.dict(os.environ, XDG_STATE_HOME=folder),
        Kills.standing(Path(folder)) as kills,
    ):
        kills.undisturbed()
        for moment in chosen:
            kills.killed_at(moment)
            _say(f"{time.monotonic() - began:6.1f} s  killed {moment.name}")
        for sink in SINKS:
            events = kills.abroad.events(sink)
            different = len({event["id"] for event in events})
            _say(f"{sink}: {different} verdicts in {len(events)} deliveries, none lost, none twice by id")
    _say(f"{len(chosen)} kills")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
