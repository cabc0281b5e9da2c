# SPDX-License-Identifier: Apache-2.0
"""Keys in secure storage, end to end: each is written once, and exists nowhere else."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders.line import Line
from tests.builders.station_demo import PATIENT_DEADLINES, ROOT, SHORT_DEADLINES, Demonstration, demonstrate
from tests.line.standing_line import Standing, issued, story

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

RECIPE = ROOT / "config" / "recipes" / "lighting-secure.toml"
BOARDS = 64
WINDOW = 8  # consecutive bytes of a key, too many for a coincidence
PAGE = 4096


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    folder = tmp_path_factory.mktemp("secure")
    done = demonstrate(folder, "--boards", str(BOARDS), "--recipe", str(RECIPE), deadlines=PATIENT_DEADLINES)
    assert done.exit_status == 0, done.output
    return done


def secure_storage(folder: Path) -> list[list[dict[str, str]]]:
    """The content of each board's secure storage."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("boards/*/secure_storage.json"))]


def private_keys(folder: Path) -> list[bytes]:
    return [bytes.fromhex(key["private_key"]) for keys in secure_storage(folder) for key in keys]


def windows(content: bytes, width: int) -> set[bytes]:
    return {content[at : at + width] for at in range(len(content) - width + 1)}


def pages(folder: Path) -> Iterator[bytes]:
    """All files of the run except the secure storage, in overlapping pieces without repetition."""
    seen = set[bytes]()
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name == "secure_storage.json":
            continue
        content = path.read_bytes()
        for at in range(0, len(content), PAGE):
            page = content[at : at + PAGE + 2 * WINDOW]
            if page not in seen:
                seen.add(page)
                yield page


def leaks(folder: Path, keys: list[bytes]) -> list[bytes]:
    """The pieces of these keys found anywhere in the folder, as bytes or as hexadecimal text."""
    raw = set[bytes]().union(*(windows(key, WINDOW) for key in keys))
    text = set[bytes]().union(*(windows(key.hex().encode(), 2 * WINDOW) for key in keys))
    found = set[bytes]()
    for page in pages(folder):
        found |= windows(page, WINDOW) & raw
        found |= windows(page.lower(), 2 * WINDOW) & text
    return sorted(found)


def test_every_board_passes(run: Demonstration) -> None:
    assert [board["verdict"] for board in run.report["boards"]] == ["pass"] * BOARDS


def test_each_key_is_written_once(run: Demonstration) -> None:
    """Secure storage cannot be erased."""
    assert [len(keys) for keys in secure_storage(run.folder)] == [1] * BOARDS
    assert len(set(private_keys(run.folder))) == BOARDS


def test_no_part_of_a_key_is_anywhere_else(run: Demonstration) -> None:
    """Flash, ledger, log, transcripts and the PKI's files contain no part of a key."""
    assert leaks(run.folder, private_keys(run.folder)) == []


def test_the_search_finds_what_is_there(run: Demonstration, tmp_path: Path) -> None:
    """The search finds a key across the border of two pages, and as text."""
    key = private_keys(run.folder)[0]
    (tmp_path / "flash.bin").write_bytes(b"\xff" * (PAGE - 4) + key[3 : 3 + WINDOW] + b"\xff" * PAGE)
    (tmp_path / "log.jsonl").write_text(f'{{"key": "{key[-WINDOW:].hex().upper()}"}}')
    assert leaks(tmp_path, [key]) == sorted([key[3 : 3 + WINDOW], key[-WINDOW:].hex().encode()])


@pytest.fixture
def standing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    for name, value in SHORT_DEADLINES.items():
        monkeypatch.setenv(name, value)
    with Line.standing(tmp_path / "line", 6, time_scale=0.02, recipe=RECIPE) as line:
        yield Standing(line)


CUTS = {
    "await_csr": "provision",
    "deliver": "provision",
    "flash_operational": "redeliver",
    "confirm": "redeliver",
}


def test_a_unit_that_comes_back_gets_its_own_certificate_again(standing: Standing) -> None:
    """The power was cut anywhere, or the factory data was lost: the key stays in secure storage."""
    for number, phase in enumerate(CUTS, start=1):
        standing.bench("fault", "--board", str(number), "--at", phase, "--what", "unplug")
    standing.bench("fault", "--board", "5", "--at", "confirm", "--what", "factory_data_erased")
    standing.bench("fault", "--board", "5", "--at", "confirm", "--what", "unplug")
    standing.bench("plug", "1", "2", "3", "4", "5")
    for number in range(1, 6):
        standing.pulled_by_its_fault(number)
    bought = len(issued(standing))
    standing.bench("plug", "1", "2", "3", "4", "5")
    again = [standing.wait(number, lambda slot: slot.verdict is not None) for number in range(1, 6)]
    assert [slot.state for slot in again] == ["pass"] * 5
    procedures = [*CUTS.values(), "provision"]
    for slot, procedure in zip(again, procedures, strict=True):
        assert story(standing, slot.uid) == ["provision void", f"{procedure} pass"]
    assert [len(keys) for keys in secure_storage(standing.line.folder)][:5] == [1] * 5
    # The board whose power was cut before its request has no certificate yet.
    assert len(issued(standing)) <= bought + 1
    for slot in again:
        assert len(json.loads(standing.station("units", "show", str(slot.uid), "--json"))["certificates"]) == 1


def test_a_unit_that_was_begun_anew_is_not_taken_for_the_one_that_passed(standing: Standing) -> None:
    """The unit passed, lost its factory data, and was pulled with a provisioning firmware, which must be replaced."""
    standing.bench("plug", "1")
    standing.wait(1, lambda slot: slot.state == "pass")
    standing.bench("unplug", "1")
    standing.wait(1, lambda slot: slot.state == "empty")
    standing.bench("fault", "--board", "1", "--at", "recognise", "--what", "factory_data_erased")
    standing.bench("fault", "--board", "1", "--at", "flash_operational", "--what", "unplug")
    standing.bench("plug", "1")
    standing.pulled_by_its_fault(1)
    standing.bench("plug", "1")
    again = standing.wait(1, lambda slot: slot.verdict is not None)
    assert again.state == "pass"
    assert story(standing, again.uid) == ["provision pass", "provision void", "redeliver pass"]
    assert len(issued(standing)) == 1


def test_no_part_of_a_key_stays_in_the_chips_memory(standing: Standing, tmp_path: Path) -> None:
    """Neither the provisioning firmware that made the key nor the operational firmware keeps a part in RAM."""
    standing.bench("fault", "--board", "1", "--at", "deliver", "--what", "mute")
    standing.bench("plug", "1", "2")
    assert [standing.wait(number, lambda slot: slot.verdict is not None).verdict for number in (1, 2)] == [
        "fail",
        "pass",
    ]
    standing.bench("dump", "1", "2", "--to", str(tmp_path / "dumps"))
    dumps = sorted((tmp_path / "dumps").glob("*/ram.bin"))
    assert len(dumps) == 2
    assert all(b"LS26" in path.with_name("qspi.bin").read_bytes() and any(path.read_bytes()) for path in dumps)
    keys = private_keys(standing.line.folder)
    assert len(keys) == 2
    assert leaks(tmp_path / "dumps", keys) == []
