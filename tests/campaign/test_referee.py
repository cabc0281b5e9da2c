# SPDX-License-Identifier: Apache-2.0
"""Lies planted into what a small campaign has left: the referee finds each of them, and calls it by its name."""

import fcntl
import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.campaign.evidence import Evidence, Issued
from tests.campaign.recorded import DEAD, GOOD, LOST, PULLED, REFUSED, STATION, recorded
from tests.campaign.referee import certificates, units
from tests.campaign.referee.boards import (
    DAC,
    DISCRIMINATOR,
    KEY,
    PAI,
    PASSCODE,
    ROTATING,
    SALT,
    SERIAL_NUMBER,
    VERIFIER,
    pack,
)
from tests.campaign.referee.chain import flaws
from tests.campaign.referee.judge import violations
from tests.campaign.referee.remains import observed
from tests.campaign.referee.violation import Promise
from tests.campaign.spoiled import Object, Spoiled
from tests.campaign.stepping import DAYS, HOURS

pytestmark = [pytest.mark.line, pytest.mark.executed]

AS_FAILED = "INSERT INTO event (attempt_id, at, type, body) SELECT attempt_id, at, {} FROM event WHERE attempt_id = :attempt AND type = 'Failed'"


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory.mktemp("campaign"))


@pytest.fixture
def spoiled(left: Path, tmp_path: Path) -> Spoiled:
    return Spoiled.copy(left, tmp_path / "left")


# --- the truth --------------------------------------------------------------------------------------------------------


def test_no_promise_is_broken(left: Path) -> None:
    """A board is pulled, one is refused, a certificate is lost, and one board is put away: the station was right each time."""
    evidence = Evidence.read(left)
    assert violations(evidence) == []
    assert sorted(board.number for board in evidence.boards) == [GOOD, PULLED, REFUSED, LOST, DEAD]
    verdicts = sorted(str(attempt.verdict) for attempt in evidence.ledgers[0].attempts)
    assert verdicts == ["fail", "fail", "pass", "pass", "pass", "pass", "void"]
    assert len(evidence.pki.issued) == 6  # one of five boards has two, of which the first was lost


def test_packed_boards_say_the_same(spoiled: Spoiled) -> None:
    before = Evidence.read(spoiled.folder).boards
    for board in before:
        pack(spoiled.folder / "bench" / "boards" / board.probe)
    assert Evidence.read(spoiled.folder).boards == before


def test_the_referee_shares_no_code_with_the_station() -> None:
    code = (
        "import sys, tests.campaign.referee.__main__, tests.campaign.shrinking;"
        "print(sorted(name for name in sys.modules if name.split('.')[0] == 'station'))"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout == "[]\n"


def test_the_command_says_what_is_broken(spoiled: Spoiled) -> None:
    (spoiled.folder / "printer" / "0001.zpl").unlink()
    ran = subprocess.run(
        [sys.executable, "-m", "tests.campaign.referee", spoiled.folder], check=False, capture_output=True, text=True
    )
    assert ran.returncode == 1, ran.stderr
    assert f"BROKEN  {Promise.LABELS}" in ran.stdout


# --- passes that are none ---------------------------------------------------------------------------------------------


def test_a_pass_written_into_the_ledger_is_found(spoiled: Spoiled) -> None:
    """Whoever writes it knows every table, and tells the MES, too."""
    uid = spoiled.board(DEAD).uid
    spoiled.ledger(
        "UPDATE attempt SET verdict = 'pass', fault = NULL WHERE id = :attempt",
        AS_FAILED.format("""'StepFinished', '{"step": "flash_operational", "seconds": 1}'"""),
        AS_FAILED.format("'Confirmed', '{}'"),
        AS_FAILED.format("'Passed', '{}'"),
        "DELETE FROM event WHERE attempt_id = :attempt AND type = 'Failed'",
        "UPDATE identity SET state = 'passed' WHERE uid = :uid",
        "UPDATE totals SET passed = passed + 1, failed = failed - 1, passed_first = passed_first + 1",
        uid=uid,
        attempt=spoiled.last_attempt(uid),
    )

    def pass_too(events: list[Object]) -> list[Object]:
        for event in events:
            data = event["data"]
            if event["subject"] == uid and isinstance(data, dict):
                data.update(verdict="pass", fault=None)
        return events

    spoiled.lines(pass_too, "mes.jsonl")
    assert spoiled.promises() == {Promise.NO_FALSE_PASS, Promise.LABELS}


def test_a_pass_that_only_its_row_has_is_found(spoiled: Spoiled) -> None:
    uid = spoiled.board(PULLED).uid
    spoiled.ledger("UPDATE attempt SET verdict = 'pass', fault = NULL WHERE uid = :uid AND verdict = 'void'", uid=uid)
    assert Promise.PROVEN in spoiled.promises()


def test_a_pass_for_which_no_programmer_worked_is_found(spoiled: Spoiled) -> None:
    """The board is good, and yet this attempt never was."""
    number = spoiled.board(GOOD).number
    spoiled.lines(
        lambda events: [each for each in events if (each["event"], each.get("board")) != ("invocation", number)],
        "bench",
        "bench.jsonl",
    )
    assert spoiled.promises() == {Promise.PROVEN}


def test_a_unit_that_is_called_passed_without_an_attempt_is_found(spoiled: Spoiled) -> None:
    spoiled.ledger("UPDATE identity SET state = 'passed' WHERE uid = :uid", uid=spoiled.board(DEAD).uid)
    assert spoiled.promises() == {Promise.NO_FALSE_PASS}


def test_one_changed_byte_of_the_firmware_is_found(spoiled: Spoiled) -> None:
    with spoiled.memory(GOOD, "internal.bin").open("r+b") as flash:
        flash.seek(5000)
        byte = flash.read(1)[0]
        flash.seek(5000)
        flash.write(bytes([byte ^ 1]))
    assert spoiled.promises() == {Promise.NO_FALSE_PASS}


def test_a_changed_byte_anywhere_in_the_factory_data_is_found(left: Path) -> None:
    """Every 23rd byte of every record, and the last; the rotating id alone may be any."""
    evidence = Evidence.read(left)
    (good,) = (board for board in evidence.boards if board.number == GOOD)
    rules = (units.false_passes, certificates.only_issued)
    for tag, value in good.records.items():
        for at in {*range(0, len(value), 23), len(value) - 1} if tag != ROTATING else ():
            changed = value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
            spoiled = replace(evidence, boards=[replace(good, records={**good.records, tag: changed})])
            named = [each.what for rule in rules for each in rule(spoiled)]
            assert any(f"board {GOOD} " in what for what in named), (tag, at)


def test_factory_data_that_nobody_can_read_is_found(spoiled: Spoiled) -> None:
    spoiled.records(GOOD, {SERIAL_NUMBER: b""})  # the firmware's reader gives up at an empty record
    assert Promise.NO_FALSE_PASS in spoiled.promises()


def test_another_key_than_the_certificates_is_found(spoiled: Spoiled) -> None:
    spoiled.records(GOOD, {KEY: hashlib.sha256(b"another").digest()})
    assert spoiled.promises() == {Promise.NO_FALSE_PASS}


def test_a_key_in_secure_storage_serves_as_well_as_one_in_the_flash(spoiled: Spoiled) -> None:
    records = dict(spoiled.board(GOOD).records)
    key = records.pop(KEY)
    spoiled.records(GOOD, records, keep=False)
    assert spoiled.promises() == {Promise.NO_FALSE_PASS}
    stored = json.dumps([{"private_key": key.hex()}])
    spoiled.memory(GOOD, "secure_storage.json").write_text(stored, encoding="utf-8")
    assert spoiled.promises() == set()


def test_one_key_on_two_boards_is_found(spoiled: Spoiled) -> None:
    spoiled.records(REFUSED, {KEY: spoiled.board(GOOD).records[KEY]})
    assert spoiled.promises() == {Promise.NO_FALSE_PASS, Promise.NO_IDENTITY_TWICE}


def test_another_authority_than_the_lines_is_found(spoiled: Spoiled) -> None:
    spoiled.records(GOOD, {PAI: spoiled.board(GOOD).records[DAC]})
    assert spoiled.promises() == {Promise.NO_FALSE_PASS}


def test_a_verifier_of_another_passcode_is_found(spoiled: Spoiled) -> None:
    spoiled.records(GOOD, {PASSCODE: (20202021).to_bytes(4, "little")})
    assert spoiled.promises() == {Promise.NO_FALSE_PASS}


# --- identities and certificates --------------------------------------------------------------------------------------


def test_swapped_certificates_are_found(spoiled: Spoiled) -> None:
    one, other = spoiled.board(GOOD).records[DAC], spoiled.board(REFUSED).records[DAC]
    spoiled.records(GOOD, {DAC: other})
    spoiled.records(REFUSED, {DAC: one})
    assert spoiled.promises() == {Promise.NO_FALSE_PASS, Promise.ISSUED}


def test_a_certificate_that_the_pki_has_not_issued_is_found(spoiled: Spoiled) -> None:
    spoiled.lines(lambda issued: issued[1:], "pki", "issued.jsonl")
    assert spoiled.promises() == {Promise.ISSUED}


def test_a_doubled_serial_number_is_found(spoiled: Spoiled) -> None:
    spoiled.records(REFUSED, {SERIAL_NUMBER: spoiled.board(GOOD).records[SERIAL_NUMBER]})
    assert {Promise.NO_IDENTITY_TWICE, Promise.ONE_IDENTITY} <= spoiled.promises()


def test_a_serial_number_that_was_given_twice_is_found(spoiled: Spoiled) -> None:
    spoiled.ledger(
        "UPDATE event SET body = :body WHERE attempt_id = :attempt AND type = 'IdentityReserved'",
        body=json.dumps({"serial_number": spoiled.board(GOOD).serial_number}),
        attempt=spoiled.last_attempt(spoiled.board(REFUSED).uid),
    )
    assert spoiled.promises() == {Promise.NO_IDENTITY_TWICE, Promise.ONE_IDENTITY}


def test_a_serial_number_that_two_stations_have_given_is_found(spoiled: Spoiled) -> None:
    """The other station's ledger has nothing but the identity, which it gave to a board of its own."""
    other = spoiled.folder / "line-2"
    other.mkdir()
    shutil.copy(spoiled.folder / STATION / "ledger.sqlite", other)
    emptied = ("event", "figure", "certificate", "pki_request", "attempt", "outbox", "label_event")
    spoiled.ledger(
        *(f"DELETE FROM {table}" for table in emptied),  # noqa: S608  of ours
        "DELETE FROM sealed_secret WHERE identity_id > 1",
        "DELETE FROM identity WHERE id > 1",
        "UPDATE identity SET uid = 'f' || substr(uid, 2), state = 'reserved'",
        "UPDATE totals SET attempts = 0, passed = 0, failed = 0, void = 0, units = 1, judged = 0, passed_first = 0",
        station="line-2",
    )
    assert spoiled.promises() == {Promise.NO_IDENTITY_TWICE}


def test_a_doubled_pair_is_found(spoiled: Spoiled) -> None:
    one = spoiled.board(GOOD).records
    spoiled.records(REFUSED, {tag: one[tag] for tag in (PASSCODE, DISCRIMINATOR, SALT, VERIFIER)})
    assert Promise.NO_IDENTITY_TWICE in spoiled.promises()


def test_a_lost_certificate_is_found(spoiled: Spoiled) -> None:
    """The answer never came, and the ledger has forgotten that it had asked."""
    spoiled.ledger("DELETE FROM pki_request WHERE outcome IS NULL")
    assert spoiled.promises() == {Promise.CERTIFICATES}


def test_a_lost_answer_may_have_had_two_certificates(left: Path) -> None:
    """The PKI has issued both for one request. One of another request would need a further request of the ledger's."""
    evidence = Evidence.read(left)
    live = {each.dac for each in evidence.ledgers[0].certificates}
    (lost,) = (each for each in evidence.pki.issued if each.dac not in live)
    second = replace(lost, serial_number=lost.serial_number + 1, dac=b"the second")

    def found(further: Issued) -> int:
        pki = replace(evidence.pki, issued=[*evidence.pki.issued, further])
        return len(list(certificates.accounted(replace(evidence, pki=pki))))

    assert found(second) == 0
    assert found(replace(second, request=lost.request + 1000)) == 1


def test_a_forgotten_certificate_of_a_unit_is_found(spoiled: Spoiled) -> None:
    spoiled.ledger(
        "DELETE FROM certificate WHERE request_id IN (SELECT id FROM pki_request WHERE uid = :uid)",
        "DELETE FROM pki_request WHERE uid = :uid",
        uid=spoiled.board(GOOD).uid,
    )
    assert spoiled.promises() == {Promise.CERTIFICATES, Promise.ISSUED}


# --- verdicts ---------------------------------------------------------------------------------------------------------


def test_a_verdict_without_a_cause_is_found(spoiled: Spoiled) -> None:
    spoiled.lines(lambda events: [each for each in events if each["event"] != "fault"], "bench", "bench.jsonl")
    assert spoiled.promises() == {Promise.EXPLAINED}


def test_a_clock_that_was_stepped_excuses_only_the_times_of_then(spoiled: Spoiled) -> None:
    """Four hours ahead a pass is no programmer's, unless the campaign has set the clock at that moment."""
    attempt = next(
        each for each in Evidence.read(spoiled.folder).ledgers[0].attempts if each.uid == spoiled.board(GOOD).uid
    )
    assert attempt.ended is not None
    began, ended = (datetime.fromtimestamp(at + 4 * HOURS, UTC).isoformat() for at in (attempt.began, attempt.ended))
    spoiled.ledger(
        "UPDATE attempt SET started_at = :began, ended_at = :ended WHERE id = :attempt",
        attempt=attempt.id,
        began=began,
        ended=ended,
    )
    assert spoiled.promises() == {Promise.PROVEN}
    step: Object = {"what": "clock stepped", "from": attempt.began, "to": attempt.ended, "seconds": 2 * DAYS}
    spoiled.story(lambda told: told.setdefault("troubles", []).append(step))
    assert spoiled.promises() == {Promise.PROVEN}
    spoiled.story(lambda told: told.setdefault("troubles", []).append({**step, "seconds": 4 * HOURS}))
    assert spoiled.promises() == set()


def test_another_fault_than_the_journals_is_found(spoiled: Spoiled) -> None:
    spoiled.ledger("UPDATE attempt SET fault = 'link.lost' WHERE fault = 'board.refused'")
    assert spoiled.promises() == {Promise.EXPLAINED, Promise.TOLD}


def test_an_attempt_left_open_is_found(spoiled: Spoiled) -> None:
    spoiled.ledger(
        "DELETE FROM event WHERE attempt_id = :attempt AND type = 'Passed'",
        "UPDATE attempt SET verdict = NULL, ended_at = NULL WHERE id = :attempt",
        attempt=spoiled.last_attempt(spoiled.board(GOOD).uid),
    )
    assert Promise.ENDED in spoiled.promises()


def test_a_void_that_no_pass_follows_is_found(spoiled: Spoiled) -> None:
    """The board was seated again, and only the journal of that is gone."""
    uid = spoiled.board(PULLED).uid
    spoiled.ledger(
        "DELETE FROM event WHERE attempt_id = :attempt",
        "DELETE FROM figure WHERE id = :attempt",
        "DELETE FROM attempt WHERE id = :attempt",
        "UPDATE totals SET passed = passed - 1, attempts = attempts - 1, judged = judged - 1, passed_first = passed_first - 1",
        "UPDATE identity SET state = 'certified' WHERE uid = :uid",
        uid=uid,
        attempt=spoiled.last_attempt(uid),
    )
    spoiled.lines(lambda events: [each for each in events if not _is_pass_of(each, uid)], "mes.jsonl")
    assert spoiled.promises() == {Promise.FOLLOWED}


def test_only_an_exchanged_board_has_a_feigned_id(left: Path) -> None:
    """Nobody can pass that one; the board itself owes its pass as all others."""
    evidence = Evidence.read(left)
    assert evidence.feigned == frozenset()
    exchanged = replace(evidence, bench=replace(evidence.bench, faults={PULLED: [(0.0, "board_exchanged")]}))
    board = next(each for each in exchanged.boards if each.number == PULLED)
    assert exchanged.feigned == {bytes.fromhex(board.uid)[::-1].hex()} != {board.uid}


def _is_pass_of(event: Object, uid: str) -> bool:
    data = event["data"]
    assert isinstance(data, dict)
    return event["subject"] == uid and data["verdict"] == "pass"


def test_a_board_that_nobody_has_looked_at_is_found(spoiled: Spoiled) -> None:
    """Seated, and never tried."""
    number = spoiled.board(DEAD).number
    spoiled.lines(
        lambda events: [*events, {"event": "plugged", "time": 1.0, "board": 6, "probe": "x", "port": 1}],
        "bench",
        "bench.jsonl",
    )
    spoiled.story(lambda told: told["boards"][0].update(number=6, away=None))
    source = spoiled.folder / "bench" / "boards" / spoiled.board(number).probe
    plate = json.loads((source / "board.json").read_text(encoding="utf-8"))
    new = spoiled.folder / "bench" / "boards" / "x"
    new.mkdir()
    (new / "board.json").write_text(json.dumps(plate | {"number": 6, "uid": "0" * 24}), encoding="utf-8")
    for name in ("internal.bin", "qspi.bin"):
        (new / name).write_bytes(b"\xff" * 0x1D0000)
    (new / "secure_storage.json").write_text("[]", encoding="utf-8")
    assert spoiled.promises() == {Promise.FOLLOWED}


def test_sums_that_are_not_their_rows_are_found(spoiled: Spoiled) -> None:
    spoiled.ledger("UPDATE totals SET passed = passed + 1")
    assert spoiled.promises() == {Promise.LEDGER_SOUND}


def test_a_row_that_refers_to_nothing_is_found(spoiled: Spoiled) -> None:
    spoiled.ledger("UPDATE certificate SET request_id = 9999 WHERE request_id = 1")
    assert spoiled.promises() == {Promise.LEDGER_SOUND}


# --- the audit trail --------------------------------------------------------------------------------------------------


def test_one_changed_byte_of_an_event_is_named(spoiled: Spoiled) -> None:
    """The body's length stays, and so does each number that anybody adds up."""
    spoiled.ledger(
        "UPDATE event SET body = replace(body, 'flash_operational', 'flash_operationaI') WHERE id = (SELECT max(id)"
        " FROM event WHERE type = 'StepFinished' AND body LIKE '%flash_operational%')",
        chained=False,
    )
    (flaw,) = flaws(spoiled.folder / STATION / "ledger.sqlite")
    assert re.fullmatch(r"line \d+, StepFinished of attempt \d+ \(event \d+\) is not as it was written", flaw)
    assert Promise.UNTOUCHED in spoiled.promises()


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE attempt SET slot = 'x' WHERE id = 3", "attempt 3 is not as it was written"),
        ("UPDATE identity SET manufacturing_date = '2026-01-01' WHERE id = 2", "identity 2 is not as it was written"),
        ("DELETE FROM label_event WHERE id = 1", "label_event 1 is gone"),
        ("DELETE FROM event WHERE id = (SELECT max(id) FROM event)", "event ends with"),
        (
            "INSERT INTO event (attempt_id, at, type, body) SELECT attempt_id, at, type, body FROM event WHERE id = 1",
            "has 0 lines",
        ),
        ("UPDATE chain SET hash = zeroblob(32) WHERE incarnation = 0 AND number = 40", "line 40"),
        ("DELETE FROM chain WHERE incarnation = 0 AND number = 41", "the chain goes on with line 42 in place of 41"),
        ("DELETE FROM chain WHERE incarnation = 0", "it has no chain"),
    ],
)
def test_each_change_of_the_ledger_is_named(spoiled: Spoiled, statement: str, named: str) -> None:
    spoiled.ledger(statement, chained=False)
    assert named in "\n".join(flaws(spoiled.folder / STATION / "ledger.sqlite"))


# --- printer, receiver ------------------------------------------------------------------------------------------------


def test_swapped_labels_are_found(spoiled: Spoiled) -> None:
    one, other = (spoiled.own("printer", name) for name in ("0001.zpl", "0002.zpl"))
    texts = [file.read_text(encoding="utf-8") for file in (one, other)]
    numbers = [spoiled.board(number).serial_number or "" for number in (GOOD, PULLED)]
    one.write_text(texts[0].replace(numbers[0], numbers[1]), encoding="utf-8")
    other.write_text(texts[1].replace(numbers[1], numbers[0]), encoding="utf-8")
    assert spoiled.promises() == {Promise.LABELS}


def test_a_unit_without_its_label_is_found(spoiled: Spoiled) -> None:
    (spoiled.folder / "printer" / "0001.zpl").unlink()
    assert spoiled.promises() == {Promise.LABELS}


def test_a_label_of_nobody_is_found(spoiled: Spoiled) -> None:
    text = (spoiled.folder / "printer" / "0001.zpl").read_text(encoding="utf-8")
    number = spoiled.board(GOOD).serial_number or ""
    spoiled.own("printer", "0099.zpl").write_text(text.replace(number, "LT2699999999"), encoding="utf-8")
    assert spoiled.promises() == {Promise.LABELS}


def test_an_event_that_the_receiver_lacks_is_found(spoiled: Spoiled) -> None:
    spoiled.lines(lambda events: events[1:], "mes.jsonl")
    assert spoiled.promises() == {Promise.TOLD}


def test_another_verdict_at_the_receiver_is_found(spoiled: Spoiled) -> None:
    def other(events: list[Object]) -> list[Object]:
        data = events[0]["data"]
        assert isinstance(data, dict)
        data["verdict"] = "fail"
        return events

    spoiled.lines(other, "mes.jsonl")
    assert spoiled.promises() == {Promise.TOLD}


def test_an_attempt_that_the_receiver_has_as_two_is_found(spoiled: Spoiled) -> None:
    spoiled.lines(lambda events: [*events, events[0] | {"id": "other"}], "mes.jsonl")
    assert spoiled.promises() == {Promise.TOLD}


# --- what is left behind ----------------------------------------------------------------------------------------------


def test_a_leaked_descriptor_is_found(spoiled: Spoiled) -> None:
    """One with every second sample. Within a minute more boards at work are no leak."""

    def leak(told: dict[str, list[Object]]) -> None:
        for number, sample in enumerate(told["samples"]):
            sample["fds"] = float(str(sample["fds"])) + number / 2

    def longer(told: dict[str, list[Object]]) -> None:
        for number, sample in enumerate(told["samples"]):
            sample["at"] = 10 * number

    def hasty(told: dict[str, list[Object]]) -> None:
        for number, sample in enumerate(told["samples"]):
            sample["at"] = number / 2

    spoiled.story(leak)
    spoiled.story(longer)
    assert spoiled.promises() == {Promise.FLAT}
    spoiled.story(hasty)
    assert spoiled.promises() == set()


def test_growing_memory_is_found(spoiled: Spoiled) -> None:
    def leak(told: dict[str, list[Object]]) -> None:
        for number, sample in enumerate(told["samples"]):
            sample["rss"] = float(str(sample["rss"])) + 1e6 * number

    spoiled.story(leak)
    assert spoiled.promises() == {Promise.FLAT}


def test_a_process_that_was_left_is_seen_with_its_files_and_locks(tmp_path: Path) -> None:
    held, runtime = tmp_path / "held", tmp_path / "runtime"
    held.write_text("", encoding="utf-8")
    runtime.mkdir()
    (runtime / "factory-data.bin").write_bytes(b"secret")
    code = "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code, held], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        seen = observed(tmp_path, runtime)
        process.stdin.close()
    assert [each.partition(":")[0] for each in seen.processes] == [str(process.pid)]
    assert seen.open_files == [f"{process.pid}: {held}"]
    assert seen.locks == [str(held)]
    assert seen.shared_memory == [str(runtime / "factory-data.bin")]
    with held.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_what_is_left_behind_breaks_a_promise(spoiled: Spoiled) -> None:
    seen = {"processes": ["1: STM32_Programmer_CLI"], "open_files": [], "locks": [], "shared_memory": []}
    spoiled.own("remains.json").write_text(json.dumps(seen), encoding="utf-8")
    assert spoiled.promises() == {Promise.NOTHING_LEFT}
    spoiled.own("remains.json").write_text(json.dumps(seen | {"processes": []}), encoding="utf-8")
    spoiled.append(b"frames", STATION, "ledger.sqlite-wal")
    assert spoiled.promises() == {Promise.NOTHING_LEFT}


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_a_secret_is_found_wherever_it_lies(spoiled: Spoiled) -> None:
    """In a log, an argument, an environment, a packed log, an answer of the page, and on a label, where only codes belong."""
    board = spoiled.board(GOOD)
    key, verifier = board.records[KEY].hex(), board.records[VERIFIER]
    places: dict[tuple[str, ...], bytes] = {
        (STATION, "logs", "station.jsonl"): f'{{"event": "a", "passcode": {board.passcode}}}'.encode(),
        ("processes.jsonl",): json.dumps({"argv": ["cli", f"--key={key}"], "environ": []}).encode(),
        (STATION, "logs", "station.jsonl.1.gz"): gzip.compress(f"key {key}".encode()),
        (STATION, "answers", "page.html"): b"<p>" + verifier.hex().encode(),
        (STATION, "core"): b"\x7fELF" + verifier,
        ("printer", "0099.zpl"): f"^XA{key}^XZ".encode(),
    }
    (spoiled.folder / STATION / "answers").mkdir()
    for place, content in places.items():
        spoiled.append(content, *place)
    found = [each for each in violations(Evidence.read(spoiled.folder)) if each.promise is Promise.NO_SECRET]
    assert {each.what.rpartition(" in ")[2] for each in found} == {"/".join(place) for place in places}
    assert not any(key in each.what or str(board.passcode) in each.what for each in found)
