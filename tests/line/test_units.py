# SPDX-License-Identifier: Apache-2.0
"""The ledger's stories of the units, compared with the data of bench, PKI and programmer."""

import csv
import io
import json
import tomllib
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

import pytest
from cryptography import x509

from station.factory_data import flat_tlv
from station.matter.onboarding import codes
from tests.builders.line import Line
from tests.builders.station_demo import ROOT, SHORT_DEADLINES
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

IMAGES = ("provisioning-flash", "operational-flash")


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """Board 1 was pulled during its operational firmware and then passed; board 2 has failed; board 3 has passed."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in SHORT_DEADLINES.items():
            monkeypatch.setenv(name, value)
        with Line.standing(tmp_path_factory.mktemp("units") / "line", 3, time_scale=0.02) as line:
            standing = Standing(line)
            standing.bench("fault", "--board", "1", "--at", "flash_operational", "--what", "unplug")
            standing.bench("fault", "--board", "2", "--at", "await_csr", "--what", "csr_bad_signature")
            standing.bench("plug", "1", "2", "3")
            standing.pulled_by_its_fault(1)
            standing.bench("plug", "1")
            ended = [standing.wait(number, lambda slot: slot.verdict is not None).state for number in (1, 2, 3)]
            assert ended == ["pass", "fail", "pass"]
            yield standing


def uids(standing: Standing) -> list[str]:
    """The UIDs in memory order, by board, from the bench's own files."""
    saved = [json.loads(path.read_text()) for path in standing.line.folder.glob("boards/*/board.json")]
    return [str(board["uid"]) for board in sorted(saved, key=lambda board: int(board["number"]))]


def told(standing: Standing, number: int) -> dict[str, list[dict[str, object]]]:
    shown: dict[str, list[dict[str, object]]] = json.loads(
        standing.station("units", "show", uids(standing)[number - 1], "--json")
    )
    return shown


def test_the_story_has_every_attempt(standing: Standing) -> None:
    """Each attempt has its verdict, fault and slot, and the manifest's hashes of its images."""
    attempts = told(standing, 1)["attempts"]
    assert [(attempt["verdict"], attempt["fault"], attempt["slot"]) for attempt in attempts] == [
        ("void", "board.removed", "1"),
        ("pass", None, "1"),
    ]
    manifest = tomllib.loads((ROOT / "firmware_images" / "manifest.toml").read_text())["image"]
    hashes = {image["name"]: image["sha256"] for image in manifest if image["name"] in IMAGES}
    assert [attempt["images"] for attempt in attempts] == [hashes, hashes]


def test_every_moment_of_the_story_is_told_in_order(standing: Standing) -> None:
    """The times run from the attempt's beginning to its verdict; each finished step took some time."""
    for attempt in told(standing, 1)["attempts"]:
        journal: list[dict[str, str]] = attempt["journal"]  # type: ignore[assignment]  # JSON
        moments = [datetime.fromisoformat(entry["at"]) for entry in journal]
        assert all(before <= after for before, after in pairwise(moments))
        assert journal[-1]["type"] == ("Passed" if attempt["verdict"] == "pass" else "Voided")
        finished = [entry for entry in journal if entry["type"] == "StepFinished"]
        assert len(finished) == len(dict(attempt["steps"])) > 0  # type: ignore[call-overload]  # JSON


def test_the_story_names_the_tools(standing: Standing) -> None:
    """The story has the versions of the programmer and of the probe's firmware."""
    transcripts = "".join(path.read_text() for path in standing.line.folder.glob("transcripts/**/*.txt"))
    for attempt in told(standing, 1)["attempts"]:
        journal: list[dict[str, str]] = attempt["journal"]  # type: ignore[assignment]  # JSON
        (identified,) = [entry for entry in journal if entry["type"] == "UnitIdentified"]
        assert f"STM32CubeProgrammer v{identified['programmer_version']}" in transcripts
        assert identified["probe_firmware"] in transcripts


def test_the_story_has_the_certificate_that_the_pki_issued(standing: Standing) -> None:
    """There is one, although there were two attempts; a board whose request was refused has none."""
    lines = (standing.line.folder / "pki" / "issued.jsonl").read_text().splitlines()
    issued = {x509.load_pem_x509_certificate(json.loads(line)["certificate"].encode()) for line in lines}
    (certificate,) = told(standing, 1)["certificates"]
    assert x509.load_pem_x509_certificate(str(certificate["dac"]).encode()) in issued
    assert told(standing, 2)["certificates"] == []


def test_the_story_can_be_read_by_people(standing: Standing) -> None:
    """The text has the same facts, whether asked by serial number or by UID."""
    uid = uids(standing)[0]
    serial_number = next(row["serial_number"] for row in exported(standing) if row["uid"] == uid)
    text = standing.station("units", "show", serial_number)
    assert text == standing.station("units", "show", uid)
    for fact in (uid, "board.removed", "STM32CubeProgrammer 2.", "flash operational", "not finished", "certificate "):
        assert fact in text


def exported(standing: Standing) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(standing.station("units", "export", "--format", "csv"))))


def test_the_export_names_boards_as_their_memory_does(standing: Standing) -> None:
    """UIDs are twenty-four hexadecimal digits in memory order, not in the order of the programmer's words."""
    rows = exported(standing)
    assert {row["uid"] for row in rows} == set(uids(standing))
    assert all(len(bytes.fromhex(row["uid"])) == 12 for row in rows)


def test_the_export_has_every_unit_once(standing: Standing) -> None:
    """Each unit has the verdict of its last attempt, as in the line's report."""
    by_uid = {row["uid"]: row for row in exported(standing)}
    rows = [by_uid[uid] for uid in uids(standing)]
    assert [(row["verdict"], row["fault"], row["attempts"]) for row in rows] == [
        ("pass", "", "2"),
        ("fail", "csr.invalid", "1"),
        ("pass", "", "1"),
    ]
    assert [bool(row["dac_serial_number"]) for row in rows] == [True, False, True]


def test_both_forms_of_the_export_say_the_same(standing: Standing) -> None:
    """A null in JSON is an empty field in CSV."""
    lines = [json.loads(line) for line in standing.station("units", "export", "--format", "jsonl").splitlines()]
    assert [{name: "" if value is None else str(value) for name, value in line.items()} for line in lines] == exported(
        standing
    )


def test_a_units_label_is_that_of_its_board_and_written_nowhere(standing: Standing) -> None:
    """Its codes carry the passcode in the board's flash; no file of the station has any of it, and the ledger who asked."""
    uid, folder = uids(standing)[2], standing.line.folder
    label = json.loads(standing.station("units", "label", uid, "--json"))["label"]
    (payload,) = codes.parse_qr_code(label["qr_code"])
    (board,) = (
        each.parent for each in folder.glob("boards/*/board.json") if json.loads(each.read_text())["uid"] == uid
    )
    data = flat_tlv.decode((board / "qspi.bin").read_bytes())
    assert payload.passcode == data.passcode
    written = [path for path in folder.rglob("*") if path.is_file() and "boards" not in path.parts]
    assert [path for path in written if path.name == "ledger.sqlite"]
    secret = (payload.passcode.digits, label["qr_code"], label["manual_code"])
    assert [path for path in written if any(text.encode() in path.read_bytes() for text in secret)] == []
    (deed,) = json.loads(standing.station("units", "show", uid, "--json"))["secrets"]
    assert (deed["deed"], deed["uid"]) == ("show", uid)


def test_a_forgotten_unit_that_is_plugged_in_again_is_not_judged(standing: Standing) -> None:
    """Nothing is written to it, and the slot takes the next board."""
    uid = uids(standing)[2]
    assert "is forgotten" in standing.station("units", "forget", uid, "--reason", "sold")
    assert standing.line.command("units", "label", uid).returncode != 0
    standing.bench("unplug", "3")
    standing.wait(3, lambda slot: slot.probe is None)
    standing.bench("plug", "3")
    slot = standing.wait(3, lambda slot: slot.verdict is not None)
    assert (slot.state, slot.fault, slot.service) == ("void", "unit.forgotten", "in")
