# SPDX-License-Identifier: Apache-2.0
"""Labels of a running line: they wait for the printer, survive a kill, and are bound by their scan."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from station.adapters.ledger import label_prints
from station.adapters.ledger.reader import LedgerReader
from station.matter.onboarding import codes
from tests.builders.line import Line, recipe_with
from tests.builders.printer import printing
from tests.builders.station_demo import SHORT_DEADLINES
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

SLOTS = (1, 2)


@pytest.fixture
def standing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    """Two boards, and a printer without media."""
    for name, value in SHORT_DEADLINES.items():
        monkeypatch.setenv(name, value)
    with printing(tmp_path, "media-out") as label:
        recipe = recipe_with(tmp_path / "recipe", label)
        with Line.standing(tmp_path / "line", len(SLOTS), recipe=recipe) as line:
            yield Standing(line)


def scanned(standing: Standing, text: str, slot: int) -> tuple[int, str]:
    """A scan as a keyboard types it."""
    command = (sys.executable, "-m", "station", "labels", "scan", "--slot", str(slot))
    config = ("--config", str(standing.line.folder / "line.toml"))
    done = subprocess.run((*command, *config), input=f"{text}\n", capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_labels_wait_survive_a_kill_and_are_bound_by_their_scan(standing: Standing, tmp_path: Path) -> None:
    tray = tmp_path / "printer"
    standing.bench("plug", *map(str, SLOTS))
    for slot in SLOTS:
        assert standing.wait(slot, lambda status: status.verdict is not None).state == "pass"
    standing.until(lambda: "no media" in standing.station("labels", "status"))
    assert f"{len(SLOTS)} waiting" in standing.station("labels", "status")

    daemon = standing.line.processes["daemon"]
    daemon.kill()
    daemon.wait()
    (tray / "mode").write_text("ready")
    standing.line.start_daemon()
    standing.until(lambda: len(list(tray.glob("*.zpl"))) == len(SLOTS))
    for slot in SLOTS:  # the boards that the daemon found in their slots
        assert standing.wait(slot, lambda status: status.verdict is not None).state == "pass"

    units = {slot: standing.slot(slot).uid for slot in SLOTS}
    reader = LedgerReader(standing.line.folder / "ledger.sqlite")
    serials = {
        slot: story.unit.serial_number for slot, uid in units.items() if (story := reader.unit(str(uid))) and story.unit
    }
    labels = {}
    for file in sorted(tray.glob("*.zpl")):
        text = file.read_text()
        (code,), (serial,) = re.findall(r"FDMA,(MT:.*?)\^FS", text), re.findall(r"S/N (.*?)\^FS", text)
        labels[serial] = code
        assert codes.parse_qr_code(code)
    assert sorted(labels) == sorted(serials.values())

    status, told = scanned(standing, labels[serials[2]], 1)
    assert status != 0
    assert serials[1] in told
    assert serials[2] in told
    for slot in SLOTS:
        assert scanned(standing, labels[serials[slot]], slot)[0] == 0
    assert len(list(tray.glob("*.zpl"))) == len(SLOTS)
    # Killed while a label is in the printer: it counts, and is neither printed again nor forgotten.
    (tray / "mode").write_text("busy")
    arguments = (
        "labels",
        "print",
        str(units[1]),
        "--reason",
        "test",
        "--config",
        str(standing.line.folder / "line.toml"),
    )
    with subprocess.Popen((sys.executable, "-m", "station", *arguments), stderr=subprocess.DEVNULL) as asking:
        ledger = standing.line.folder / "ledger.sqlite"
        standing.until(lambda: any(each.copy == 2 for each in label_prints.history(ledger)))
        daemon = standing.line.processes["daemon"]
        daemon.kill()
        daemon.wait()
        assert asking.wait() != 0
    (tray / "mode").write_text("ready")
    standing.line.start_daemon()
    standing.until(lambda: f"{units[1]}: copy 2 counts" in standing.station("labels", "status"))
    for slot in SLOTS:
        standing.wait(slot, lambda status: status.verdict is not None)
    standing.until(lambda: len(list(tray.glob("*.zpl"))) == len(SLOTS) + 1)
    assert scanned(standing, labels[serials[1]], 1)[0] == 0
    assert "copy 2 counts" not in standing.station("labels", "status")
    shown = standing.station("units", "show", str(units[1]))
    for words in ("label printed", "wrong label scanned", "label bound"):
        assert words in shown
    assert labels[serials[1]] not in (standing.line.folder / "logs" / "station.jsonl").read_text()
