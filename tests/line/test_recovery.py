# SPDX-License-Identifier: Apache-2.0
"""The daemon ends, in order or not, and is started again: no work is lost, and none is done twice."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from station.adapters.ledger.orphans import listed
from station.adapters.ledger.reader import LedgerReader
from tests.builders.json_lines import objects_of
from tests.builders.line import RECIPE, RECIPE_IN_RAM, Line
from tests.builders.station_demo import ROOT, SHORT_DEADLINES
from tests.line.standing_line import Standing, issued, story

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

BOARDS = 3
IMAGES = ROOT / "firmware_images"


@dataclass(frozen=True, slots=True)
class Moment:
    """The moment when the daemon is killed.

    Either the board in slot 1 begins the phase, or that share of the image is in its flash. The boards in the other
    slots are in the same phase or near it.
    """

    phase: str
    image: str = ""
    share: float = 0.0


PROVISIONER = "provisioning-flash.bin"
KILLED = [
    Moment("recognise"),
    Moment("flash_data"),
    Moment("flash_provisioner", PROVISIONER, 0.1),
    Moment("await_csr"),
    Moment("relay_to_pki"),
    Moment("deliver"),
    Moment("flash_operational"),
    Moment("flash_operational", "operational-flash.bin", 0.5),
    Moment("confirm"),
]


@pytest.fixture
def time_scale() -> float:
    return 0.05


@pytest.fixture
def recipe() -> Path:
    return RECIPE


@pytest.fixture
def standing(
    tmp_path: Path, time_scale: float, recipe: Path, secrets_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Standing]:
    for name, value in SHORT_DEADLINES.items():
        monkeypatch.setenv(name, value)
    with Line.standing(tmp_path / "line", BOARDS, time_scale=time_scale, recipe=recipe) as line:
        yield Standing(line)


class Log:
    """The daemon's log from now on."""

    def __init__(self, folder: Path, name: str = "station") -> None:
        self._path = folder / "logs" / f"{name}.jsonl"
        self._read = self._path.stat().st_size

    def wait(self, within: float = 300, **wanted: str | int) -> None:
        """Waits for a line with all of these values."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if any(wanted.items() <= line.items() for line in objects_of(self._path, self._read)):
                return
            time.sleep(0.002)
        pytest.fail(f"no line with {wanted}")


def ended(standing: Standing, how: signal.Signals) -> int:
    daemon = standing.line.processes["daemon"]
    daemon.send_signal(how)
    return daemon.wait(300)


def awaited(standing: Standing, log: Log, moment: Moment) -> None:
    """Returns when the moment has come, by the daemon's log and by the flash of the board in slot 1."""
    log.wait(event="step.started", step=moment.phase, slot="1")
    if moment.image:
        image = (IMAGES / moment.image).read_bytes()
        begun = image[: int(len(image) * moment.share)]
        flash = flash_of(standing, standing.wait(1, lambda slot: slot.uid is not None).uid)
        standing.until(lambda: flash.read_bytes()[: len(begun)] == begun)


def flash_of(standing: Standing, uid: str | None) -> Path:
    """The file with the internal flash of the board with this UID."""
    plates = standing.line.folder.glob("boards/*/board.json")
    (folder,) = [plate.parent for plate in plates if json.loads(plate.read_text())["uid"] == uid]
    return folder / "internal.bin"


def identities(standing: Standing) -> list[tuple[str, str]]:
    reader = LedgerReader(standing.line.folder / "ledger.sqlite")
    return [(unit.uid, unit.serial_number) for unit in reader.units()]


def programmers(standing: Standing) -> list[int]:
    """The running programmers of this bench."""
    name = str(standing.line.folder / "STM32CubeProgrammer")
    found = subprocess.run(["pgrep", "-f", name], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def hang(standing: Standing, *boards: str, at: str, deaf_to: str = "nothing") -> None:
    """Plugs in these boards, whose programmers hang in this phase; returns when they do."""
    for board in boards:
        standing.bench("fault", "--board", board, "--at", at, "--what", "hang", "--set", f"deaf_to={deaf_to}")
    standing.bench("plug", *boards)
    journal = standing.line.folder / "bench.jsonl"
    standing.until(lambda: journal.read_text().count('"what": "hang"') == len(boards))


@pytest.mark.parametrize("recipe", [RECIPE, RECIPE_IN_RAM], ids=["flash", "ram"])
def test_a_killed_daemon_loses_no_board_in_any_phase(standing: Standing, recipe: Path) -> None:
    """The restarted daemon voids open attempts, and its boards pass with one identity each."""
    slots = range(1, BOARDS + 1)
    unanswered = set[str]()
    # With the plan `ram` that image is in no flash.
    moments = [Moment(each.phase) if recipe == RECIPE_IN_RAM and each.image == PROVISIONER else each for each in KILLED]
    for moment in moments:
        log = Log(standing.line.folder)
        standing.bench("plug", *map(str, slots), "--new")
        awaited(standing, log, moment)
        ended(standing, signal.SIGKILL)
        unanswered |= {orphan.key for orphan in listed(standing.line.folder / "ledger.sqlite")}
        standing.line.start_daemon()
        passed = [standing.wait(slot, lambda slot: slot.verdict is not None) for slot in slots]
        assert [(slot.state, slot.fault) for slot in passed] == [("pass", None)] * BOARDS, moment
        assert all(story(standing, slot.uid)[-1].endswith(" pass") for slot in passed), moment
        standing.bench("unplug", "--all")
        for slot in slots:
            standing.wait(slot, lambda slot: slot.state == "empty")

    units = identities(standing)
    assert len({uid for uid, _ in units}) == len({serial for _, serial in units}) == len(units) == BOARDS * len(KILLED)
    keys = Counter(json.loads(line)["key_sha256"] for line in issued(standing))
    bought_twice = {key for key, times in keys.items() if times > 1}
    orphans = {orphan["key"] for orphan in json.loads(standing.station("pki", "orphans", "--json"))["orphans"]}
    assert bought_twice <= orphans
    assert orphans == unanswered


def test_a_daemon_that_is_told_to_end_leaves_nothing_behind(standing: Standing, secrets_folder: Path) -> None:
    """It leaves no child, held lock, secret file or socket; the attempts are void at once."""
    hang(standing, "1", "2", at="flash_operational")
    standing.until(lambda: len(programmers(standing)) == 2)
    assert ended(standing, signal.SIGTERM) == 0
    assert programmers(standing) == []
    assert not (standing.line.folder / "station.sock").exists()
    assert list(secrets_folder.iterdir()) == []
    reader = LedgerReader(standing.line.folder / "ledger.sqlite")
    assert [unit.verdict for unit in reader.units()] == ["void", "void"]
    standing.line.start_daemon()
    assert [standing.wait(number, lambda slot: slot.verdict is not None).state for number in (1, 2)] == ["pass", "pass"]
    assert len(identities(standing)) == 2


def test_a_second_daemon_on_one_ledger_refuses(standing: Standing) -> None:
    """The second daemon names the first, which goes on."""
    command = [sys.executable, "-m", "station", "run", "--config", str(standing.line.folder / "line.toml")]
    second = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=300)
    assert second.returncode == 3
    assert re.search(r"process \d+ is writing it: .*ledger.sqlite.lock is locked", second.stderr)
    standing.bench("plug", "1")
    assert standing.wait(1, lambda slot: slot.verdict is not None).state == "pass"


def test_a_programmer_that_outlived_its_daemon_is_waited_for(standing: Standing) -> None:
    """A second programmer on the same probe would spoil the board."""
    hang(standing, "1", at="flash_operational")
    ended(standing, signal.SIGKILL)
    (outlived,) = programmers(standing)
    log = Log(standing.line.folder)
    standing.line.start_daemon()
    log.wait(event="probe.awaited")
    assert programmers(standing) == [outlived]
    os.kill(outlived, signal.SIGINT)
    log.wait(event="attempt.finished", verdict="pass")


def test_a_programmer_that_outlived_its_daemon_and_hangs_is_ended(
    standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next daemon gives it as long as its own would have, and then goes on with the board; nobody has to come."""
    monkeypatch.setenv("STATION__PROGRAMMER__CONNECT_WITHIN", "30")  # twice for this run, which then reads the board
    monkeypatch.setenv("STATION__PROGRAMMER__STOP_WITHIN", "1")
    ended(standing, signal.SIGTERM)
    standing.line.start_daemon()  # its programmer has the time that it was given
    hang(standing, "1", at="recognise", deaf_to="all")
    ended(standing, signal.SIGKILL)
    (outlived,) = programmers(standing)
    log = Log(standing.line.folder)
    standing.line.start_daemon()
    log.wait(event="probe.freed", pid=outlived)
    log.wait(event="attempt.finished", verdict="pass")
