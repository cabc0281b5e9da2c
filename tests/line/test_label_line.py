# SPDX-License-Identifier: Apache-2.0
"""Labels of a running line: they wait for the printer, survive a kill, and are bound by their scan."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from station.adapters.ledger import label_prints
from station.adapters.ledger.reader import LedgerReader
from station.matter.onboarding import codes
from tests.builders.line import Line, recipe_with
from tests.builders.station_demo import SHORT_DEADLINES
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

SLOTS = (1, 2)


@pytest.fixture
def standing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    """Two boards, and a printer without media."""
    for name, value in SHORT_DEADLINES.items():
        monkeypatch.setenv(name, value)
    tray = tmp_path / "printer"
    tray.mkdir()
    (tray / "mode").write_text("media-out")
    (tmp_path / "logs").mkdir()
    printer = Line(tmp_path, tmp_path)
    printer.start("printer", "virtual_bench", "printer", "--dir", str(tray))
    try:
        printer.wait_for("printer", (tray / "port").exists)
        label = (
            f'[label]\nsize_mm = [50, 25]\nprinter = "tcp://127.0.0.1:{(tray / "port").read_text()}"\nrequired = true'
        )
        with Line.standing(tmp_path / "line", len(SLOTS), recipe=recipe_with(tmp_path / "recipe", label)) as line:
            yield Standing(line)
    finally:
        printer.processes["printer"].send_signal(signal.SIGTERM)
        printer.processes["printer"].wait()


def scanned(standing: Standing, text: str, slot: int) -> tuple[int, str]:
    """A scan as a keyboard types it."""
    command = (sys.executable, "-m", "station", "labels", "scan", "--slot", str(slot))
    config = ("--config", str(standing.line.folder / "line.toml"))
    done = subprocess.run((*command, *config), input=f"{text}\n", capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def asked(standing: Standing, path: str) -> str:
    """What the page's server answers."""

    def url() -> str | None:
        page = standing.line.status().page
        return None if page is None else page.url

    standing.until(lambda: url() is not None)
    connection = HTTPConnection(urlsplit(f"{url()}").netloc, timeout=300)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def on_page(standing: Standing, slot: int) -> tuple[str, str | None]:
    told = json.loads(asked(standing, f"/api/v1/slots/{slot}"))
    return told["label"], told["serial"]


def counted_as_printed(standing: Standing) -> float:
    """What the metrics have of the one printer."""
    wanted = r'^station_label_prints_total{outcome="printed",printer="tcp://127.0.0.1:\d+"} (\S+)$'
    (found,) = re.findall(wanted, asked(standing, "/metrics"), re.MULTILINE)
    return float(found)


def test_labels_wait_survive_a_kill_and_are_bound_by_their_scan(standing: Standing, tmp_path: Path) -> None:
    tray = tmp_path / "printer"
    standing.bench("plug", *map(str, SLOTS))
    for slot in SLOTS:
        assert standing.wait(slot, lambda status: status.verdict is not None).state == "pass"
    standing.until(lambda: "no media" in standing.station("labels", "status"))
    assert f"{len(SLOTS)} waiting" in standing.station("labels", "status")
    standing.until(lambda: on_page(standing, 1)[0] == "due")

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

    standing.until(lambda: on_page(standing, 1) == ("printed", serials[1]))
    status, told = scanned(standing, labels[serials[2]], 1)
    assert status != 0
    assert serials[1] in told
    assert serials[2] in told
    for slot in SLOTS:
        assert scanned(standing, labels[serials[slot]], slot)[0] == 0
    standing.until(lambda: on_page(standing, 1) == ("bound", serials[1]))
    standing.until(lambda: counted_as_printed(standing) == len(SLOTS))
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
