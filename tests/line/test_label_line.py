# SPDX-License-Identifier: Apache-2.0
"""Labels of a running line: they wait for the printer, survive a kill, are bound by their scan, and leave no trace of their secret."""

import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pyrage
import pytest

from station.adapters.ledger import label_prints
from station.adapters.ledger.reader import LedgerReader
from station.adapters.ledger.station_keys import StationKeys
from station.adapters.ledger.vault import Vault
from station.domain.identity import OnboardingSecrets
from station.matter.onboarding import codes
from station.matter.onboarding.codes import OnboardingPayload
from tests.builders.bench import rows
from tests.builders.line import Line, recipe_with
from tests.builders.printer import printing
from tests.builders.station_demo import SHORT_DEADLINES
from tests.builders.traces import chances, contents, forms
from tests.builders.traces import found as traces
from tests.line.standing_line import Standing
from tests.mes.broker import free_port
from tests.mes.receiver import SECRET

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

SLOTS = (1, 2)


@pytest.fixture
def standing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    """Two boards, and a printer without media."""
    for name, value in SHORT_DEADLINES.items():
        monkeypatch.setenv(name, value)
    secret = tmp_path / "webhook.secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    mes = f'\n[mes]\nwebhook = "http://127.0.0.1:{free_port()}"\nsecret_file = "{secret}"\n'  # nobody listens there
    with printing(tmp_path, "media-out") as label:
        recipe = recipe_with(tmp_path / "recipe", label)
        with Line.standing(tmp_path / "line", len(SLOTS), recipe=recipe, further=mes) as line:
            yield Standing(line)


def buffered(tray: Path) -> int:
    """How many labels the printer has taken and not printed, by its own answer."""
    with socket.create_connection(("127.0.0.1", int((tray / "port").read_text()))) as connection:
        connection.sendall(b"~HS")
        return int(connection.recv(4096).split(b",")[4])


def printed(tray: Path) -> dict[str, str]:
    """The QR codes in the printer's tray by the serial numbers beside them."""
    labels = {}
    for file in sorted(tray.glob("*.zpl")):
        text = file.read_text()
        (code,), (serial,) = re.findall(r"FDMA,(MT:.*?)\^FS", text), re.findall(r"S/N (.*?)\^FS", text)
        labels[serial] = code
        assert codes.parse_qr_code(code)
    return labels


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
    standing.until(
        lambda: "no media" in (said := standing.station("labels", "status")) and f"{len(SLOTS)} waiting" in said
    )
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
    labels = printed(tray)
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
        standing.until(lambda: buffered(tray) == 1)
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
    nobody_finds_a_secret(standing, labels, list(map(str, units.values())), tmp_path)


def nobody_finds_a_secret(standing: Standing, labels: Mapping[str, str], units: list[str], tmp_path: Path) -> None:
    """In a copy of the line's whole folder without the key of its secrets; and with it, once the units are forgotten.

    Without the boards themselves, which have their secrets. The line has printed, shown, exported and backed up labels, and
    has an MES that takes nothing.
    """
    folder = standing.line.folder
    secrets = secrets_of(folder, labels)
    wanted = {name: text for secret, payload in secrets for name, text in forms(secret, payload).items()}
    assert len(secrets) == len(labels) == len(units)
    recipient = tmp_path / "recipient"
    recipient.write_text(str(pyrage.x25519.Identity.generate().to_public()))
    standing.station("units", "label", units[0], "--json")
    standing.station(
        "units", "labels", "--lot", lot_of(folder), "--to", str(folder / "a.age"), "--recipient", str(recipient)
    )
    standing.station("ledger", "backup", str(folder / "before.sqlite"))
    assert json.loads(standing.station("outbox", "list", "--json"))["messages"]
    sealed = rows(folder / "ledger.sqlite", "SELECT wrapped_key, content FROM sealed_secret")

    stolen = copied(standing, tmp_path / "stolen")
    assert {"a.age", "before.sqlite", "ledger.sqlite", "ledger.sqlite-wal", "logs/station.jsonl"} <= stolen.keys()
    assert traces(stolen, wanted) == []
    for number in range(len(chances(secrets[0][0]))):
        assert not all(any(chances(secret)[number] in content for content in stolen.values()) for secret, _ in secrets)

    for uid in units:
        standing.station("units", "forget", uid, "--reason", "sold")
    (folder / "before.sqlite").unlink()  # it opens until the key is rotated
    standing.station("ledger", "backup", str(folder / "after.sqlite"))
    gone = {f"{number} of row {row}": value for row, values in enumerate(sealed) for number, value in enumerate(values)}
    pieces = {
        f"{name}, {at}": value[at : at + 16]
        for name, value in gone.items()
        for at in (0, 16, 32)
        if isinstance(value, bytes)
    }
    assert len(pieces) == 6 * len(units)
    assert traces(stolen, pieces)  # the search sees them
    standing.until(lambda: traces(copied(standing, tmp_path / "with the key"), pieces | wanted) == [])


def secrets_of(folder: Path, labels: Mapping[str, str]) -> list[tuple[OnboardingSecrets, OnboardingPayload]]:
    """The secrets of the units with these labels, as whoever has the key finds them."""
    ledger = folder / "ledger.sqlite"
    ((key_id,),) = rows(ledger, "SELECT key_id FROM secrets_state")
    opened = Vault(ledger, StationKeys.of(folder / "witness", ledger, environment={}), str(key_id))
    found = []
    for code in labels.values():
        (payload,) = codes.parse_qr_code(code)
        for _, _, secret in label_prints.with_discriminator(ledger, opened, payload.discriminator.value):
            assert secret.passcode == payload.passcode
            found.append((secret, payload))
    return found


def lot_of(folder: Path) -> str:
    ((lot,),) = rows(folder / "ledger.sqlite", "SELECT DISTINCT lot FROM identity")
    return str(lot)


def copied(standing: Standing, to: Path) -> dict[str, bytes]:
    """All that is in a copy of the line's folder: not the boards, and not the station's key."""
    shutil.rmtree(to, ignore_errors=True)
    hidden = shutil.ignore_patterns("boards", "keys", "station.sock", "dev", "sys")
    shutil.copytree(standing.line.folder, to, ignore=hidden, symlinks=True)
    return contents(to)
