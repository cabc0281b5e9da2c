# SPDX-License-Identifier: Apache-2.0
"""The attempts of a line with faults, played back: the same way by the same code, another way where an answer is another."""

import ast
import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path

import pytest

from station.adapters.ledger.reader import LedgerReader
from station.adapters.system import recordings
from station.adapters.system.transcripts import RECORDING, place_of
from station.config import line as configuration
from station.domain.product import Erase, Plan, Strings, Verify
from station.factory_data.flat_tlv import SECRET, Tag, decode
from station.recipe.files import line_recipe
from station.recipe.recipe import Recipe
from station.replay import cases
from station.replay.entries import EntryInvalid
from station.replay.recipes import recipe_entry, recipe_of
from station.replay.replay import Replay, replay
from tests.builders.commands import station
from tests.builders.line import station_command
from tests.builders.station_demo import Demonstration, demonstrate

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

Entry = dict[str, object]

FAULTS = {
    1: ("await_csr", "csr_bad_signature", "fail", "csr.invalid"),
    2: ("flash_operational", "verify_mismatch", "fail", "flash.mismatch"),
    3: ("relay_to_pki", "unplug", "void", "board.removed"),
    4: ("flash_data", "nothing_done", "void", "programmer.unproven"),
    5: ("await_csr", "other_uart", "void", "board.swapped"),
    6: ("deliver", "uart_noise", "pass", None),
}
BOARDS = 7


def fault_file(folder: Path) -> Path:
    tables = []
    for board, (at, what, verdict, fault) in FAULTS.items():
        expected = f'verdict = "{verdict}"' + (f', fault = "{fault}"' if fault else "")
        tables.append(f'[[fault]]\nboard = {board}\nat = "{at}"\nwhat = "{what}"\nexpect = {{ {expected} }}\n')
    path = folder / "faults.toml"
    path.write_text("\n".join(tables))
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    folder = tmp_path_factory.mktemp("replays")
    done = demonstrate(folder, "--boards", str(BOARDS), "--faults", str(fault_file(folder)))
    assert done.exit_status == 0, done.output
    return done


@pytest.fixture(scope="module")
def recipe(run: Demonstration) -> Recipe:
    loaded = line_recipe.load(configuration.load(run.folder / "line.toml", {}))
    assert isinstance(loaded, Recipe)
    return loaded


def files(run: Demonstration) -> list[Path]:
    return sorted((run.folder / "transcripts").rglob("*.jsonl.gz"))


def ended(run: Demonstration) -> dict[int, str]:
    """How each attempt ended, by the ledger."""
    attempts = LedgerReader(run.folder / "ledger.sqlite").attempts()
    return {each.number: each.fault or str(each.verdict) for each in attempts}


def of_fault(run: Demonstration, fault: str) -> list[Entry]:
    """The recording of the attempt that ended with this fault, or as `pass`."""
    number = min(number for number, end in ended(run).items() if end == fault)
    return recordings.read(next(file for file in files(run) if int(file.name.split(".")[0]) == number))


def test_every_attempt_is_recorded_and_goes_the_same_way(run: Demonstration, recipe: Recipe) -> None:
    ends = {}
    for file in files(run):
        played = replay(recordings.read(file), recipe)
        assert played.same, (file, played)
        assert played.verdict is not None
        ends[played.attempt] = cases.named(played.verdict)
    assert ends == ended(run)
    assert {fault or verdict for _, _, verdict, fault in FAULTS.values()} <= set(ends.values())


REMOVED: Entry = {"kind": "verdict", "type": "Voided", "body": {"fault": "board.removed", "evidence": {}}}


def test_a_board_that_is_pulled_goes_the_same_way_whatever_was_told_last(run: Demonstration, recipe: Recipe) -> None:
    """Also in the middle of a commit, whose duration no recording has: today's code is past it at once, and stops there."""
    entries = of_fault(run, "pass")
    for count in range(2, len(entries)):
        at = {"at": entries[count - 1]["at"]}
        played = replay([*entries[:count], at | {"kind": "cancelled"}, at | REMOVED], recipe)
        assert played.same, (entries[count - 1], played)


def test_a_recording_keeps_the_whole_recipe(recipe: Recipe) -> None:
    """Of the images only their size and digest, of a declaration's product its numbers."""
    other = replace(
        recipe,
        plan=Plan.RAM,
        erase=Erase.AS_NEEDED,
        verify=Verify.FULL,
        strings=Strings.TERMINATED,
        passcode_in_flash=False,
    )
    kept = recipe_of(json.loads(json.dumps(recipe_entry(other))))
    told = {field.name for field in fields(Recipe)} - {
        "provisioning_image",
        "operational_image",
        "certification",
        "label",
    }
    assert {name: getattr(kept, name) for name in told} == {name: getattr(other, name) for name in told}
    old = {key: value for key, value in recipe_entry(other).items() if key not in {"plan", "erase"}}
    assert (recipe_of(old).plan, recipe_of(old).erase) == (Plan.FLASH, Erase.ALWAYS)


def test_a_port_that_is_lost_takes_no_more_bytes(run: Demonstration, recipe: Recipe) -> None:
    """At each moment between the answer of the board and the next question to it."""
    entries = of_fault(run, "pass")
    begun = next(at for at, entry in enumerate(entries) if entry.get("step") == "deliver")
    sent = next(at for at, entry in enumerate(entries) if at > begun and entry["kind"] == "sent")
    for count in range(begun + 1, sent + 1):
        at = {"at": entries[count - 1]["at"]}
        played = replay([*entries[:count], at | {"kind": "lost"}, at | REMOVED], recipe)
        assert played.same, (entries[count - 1], played)


def forms(value: bytes) -> Iterator[bytes]:
    """A secret as it may stand in a file."""
    yield value
    yield value.hex().encode()
    yield value.hex().upper().encode()
    yield base64.b64encode(value)[:-4]
    yield base64.urlsafe_b64encode(value)[:-4]


def test_no_recording_has_a_secret(run: Demonstration) -> None:
    """The boards' flash has the secrets: passcode, salt, verifier, rotating id, and the private key of the DAC."""
    text = b"\n".join(json.dumps(entry).encode() for file in files(run) for entry in recordings.read(file))
    sought = 0
    for folder in (run.folder / "boards").iterdir():
        flash = (folder / "qspi.bin").read_bytes()
        if flash[0x1C0000:].startswith(b"\xff"):
            continue
        records = decode(flash).records
        for tag in SECRET & records.keys():
            if tag is Tag.SPAKE2_SETUP_PASSCODE:
                passcode = f"{int.from_bytes(records[tag], 'little'):08d}".encode()
                assert passcode not in text
            else:
                assert not any(form in text for form in forms(records[tag])), tag
            sought += 1
    assert sought >= 5 * 2  # of two boards at least: of each what it has


def test_the_private_key_was_looked_for(run: Demonstration) -> None:
    """Otherwise the search for secrets would prove less than it seems."""
    flashes = [(folder / "qspi.bin").read_bytes() for folder in (run.folder / "boards").iterdir()]
    found = [decode(flash) for flash in flashes if not flash[0x1C0000:].startswith(b"\xff")]
    assert any(Tag.DEVICE_ATTESTATION_PRIV_KEY in data.records for data in found)


def changed(entries: list[Entry], change: Callable[[str], str]) -> list[Entry]:
    """The recording with other text, as a programmer or a board of another make would have given it."""
    return [json.loads(change(json.dumps(entry))) for entry in entries]


@pytest.mark.parametrize(
    ("fault", "was", "becomes", "end"),
    [
        ("pass", "Download verified successfully", "Download ended", "programmer.unproven"),
        ("pass", "operational VID", "operational vid", None),
    ],
)
def test_another_answer_goes_another_way(
    run: Demonstration, recipe: Recipe, fault: str, was: str, becomes: str, end: str | None
) -> None:
    entries = of_fault(run, fault)
    if end is None:  # on the UART, where the text is base64
        change = _of_line
    else:
        assert was in json.dumps(entries)

        def change(text: str) -> str:
            return text.replace(was, becomes)

    played = replay(changed(entries, change), recipe)
    assert not played.same
    assert played.verdict is not None
    assert cases.named(played.verdict) == (end or "operational.silent")


def _of_line(text: str) -> str:
    entry: Entry = json.loads(text)
    if entry["kind"] == "received":
        data = base64.b64decode(str(entry["data"]))
        entry["data"] = base64.b64encode(data.replace(b"operational VID", b"operational vid")).decode()
    return json.dumps(entry)


def test_a_question_without_an_answer_is_said(run: Demonstration, recipe: Recipe) -> None:
    entries = [entry for entry in of_fault(run, "pass") if entry.get("question") != "issue_dac"]
    played = replay(entries, recipe)
    assert not played.same
    assert played.verdict is None
    assert "issue_dac" in str(played.steps[-1].today or [step.today for step in played.steps])


def test_a_recording_of_another_form_is_refused(run: Demonstration, recipe: Recipe) -> None:
    head, *others = of_fault(run, "pass")
    for entries in ([{**head, "format": 2}, *others], [head], [head, {"at": 0, "kind": "step", "step": "dance"}]):
        with pytest.raises(EntryInvalid):
            replay(entries, recipe)


def test_the_command_says_the_same_way_and_writes_a_test_that_passes(run: Demonstration, tmp_path: Path) -> None:
    config = run.folder / "line.toml"
    number = min(number for number, end in ended(run).items() if end == "csr.invalid")
    test = tmp_path / "test_of_the_field.py"
    said = station_command("replay", str(number), "--config", config, "--as-test", test, "--json")
    assert said.returncode == 0, said.stderr
    document = json.loads(said.stdout)
    assert (next(iter(document)), document["schema"], document["end"]) == ("schema", 1, "csr.invalid")
    pytest_run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(test)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert pytest_run.returncode == 0, pytest_run.stdout
    wrong = station_command("replay", str(number), "--config", config, "--as-test", test, "--wanted", "pass")
    assert wrong.returncode == 0, wrong.stderr
    assert cases.end_of(test.with_suffix(".jsonl.gz")) == "csr.invalid"
    assert '== "pass"' in test.read_text()


def test_an_attempt_without_a_recording_is_said(run: Demonstration) -> None:
    said = station_command("replay", "4711", "--config", run.folder / "line.toml")
    assert said.returncode == 2
    assert "0004711.jsonl.gz" in said.stderr


def test_a_replay_takes_no_time_that_it_waits_for(run: Demonstration, recipe: Recipe) -> None:
    """A run that stalls ends by its deadline, which the clock jumps to."""
    entries = [dict(entry) for entry in of_fault(run, "pass")]
    last = next(entry for entry in reversed(entries) if entry["kind"] == "run")
    said = last["said"]
    assert isinstance(said, list)
    last["said"] = said[:-4]
    del last["ended"]
    played: Replay = replay(entries, recipe)
    assert played.verdict is not None
    assert cases.named(played.verdict) == "programmer.stuck"


SPOILED: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "a time that is none": {"run": {"at": float("nan")}},
    "a time beyond all": {"step": {"at": 1e300}},
    "a port that is none": {"port": {"kind": "x"}},
    "a read-back beyond all": {"read": {"size": 10**12}},
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_spoiled_recording_is_refused(run: Demonstration, recipe: Recipe, what: str) -> None:
    """Whatever is in it: neither a traceback nor a wait."""
    entries = [{**entry, **SPOILED[what].get(str(entry["kind"]), {})} for entry in of_fault(run, "pass")]
    with pytest.raises(EntryInvalid):
        replay(entries, recipe)


def test_a_recording_makes_no_file_beside_its_own(run: Demonstration, recipe: Recipe, tmp_path: Path) -> None:
    """A file that the programmer was asked to use is made in the replay's own folder, whatever folder it is said to be in."""
    entries = of_fault(run, "pass")
    place = next(at for at, entry in enumerate(entries) if entry["kind"] == "run")
    command = entries[place]["command"]
    assert isinstance(command, list)
    entries[place] = {**entries[place], "command": [*command, "-el", str(tmp_path / "loader.stldr")]}
    assert not replay(entries, recipe).same
    assert list(tmp_path.iterdir()) == []


def test_a_tests_name_is_no_code(run: Demonstration, recipe: Recipe, tmp_path: Path) -> None:
    test = tmp_path / 'test_"+x+".py'
    cases.write(test, of_fault(run, "pass"), recipe, 'pass"\n')
    names = [node.value for node in ast.walk(ast.parse(test.read_text())) if isinstance(node, ast.Constant)]
    assert {'test_"+x+".jsonl.gz', 'pass"\n'} <= set(names)


def test_the_recording_of_another_attempt_is_refused(run: Demonstration, tmp_path: Path) -> None:
    copy = tmp_path / place_of(4711, RECORDING)
    copy.parent.mkdir()
    copy.write_bytes(files(run)[0].read_bytes())
    done = station("replay", "4711", "--recordings", tmp_path, "--config", run.folder / "line.toml")
    assert (done.exit_code, "it is the recording of attempt 1" in done.stderr) == (2, True)


def test_a_test_that_is_there_stays(run: Demonstration, tmp_path: Path) -> None:
    test = tmp_path / "test_it.py"
    test.write_text("mine")
    for place, said in (
        (test, "it is there already, and is another test"),
        (tmp_path / "none" / "test_it.py", "cannot be written"),
    ):
        done = station("replay", "1", "--as-test", place, "--config", run.folder / "line.toml")
        assert (done.exit_code, said in done.stderr) == (2, True), done.output
    assert test.read_text() == "mine"
