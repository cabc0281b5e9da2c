# SPDX-License-Identifier: Apache-2.0
"""The journal of a bundle where the ledger has a chain: each line links to the one before it."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from station.adapters.ledger import Ledger, recording
from station.domain.attempt import Passed
from station.domain.checkpoint import Checkpoint
from station.domain.intervention import Decision
from station.domain.work_order import LotOpened
from station.evidence.form import ATTEMPTS, AUDIT, JOURNAL, REQUESTS, UNITS
from station.evidence.recorded import COLUMNS
from station.evidence.verifying import Trusted, verify
from tests.builders.bench import RECIPE, Secrets, begun, execute, recognised
from tests.builders.commands import station
from tests.builders.lot_evidence import LOT, key_file, members, provisioned, resigned
from tests.builders.sharing import stocked
from tests.evidence.conftest import Made

Row = dict[str, object]
Key = Ed25519PrivateKey | None


def rows(file: Path) -> list[Row]:
    return [json.loads(line) for line in members(file)[JOURNAL].splitlines()]


@pytest.fixture
def bundle(made: Made) -> Path:
    return made.bundle


def found(bundle: Path, folder: Path, change: Callable[[list[Row]], list[Row]]) -> list[str]:
    """What is found in a bundle whose journal was changed, and that is signed again."""
    contents, (_, key) = members(bundle), key_file(folder)
    journal = b"".join(json.dumps(row).encode() + b"\n" for row in change(rows(bundle)))
    told = verify(resigned(folder / "lie.zip", {**contents, JOURNAL: journal}, key), Trusted())
    return [str(each) for each in told.findings]


def test_each_line_of_the_lot_links_to_the_one_before(made: Made) -> None:
    """Up to the hash that the ledger has for the last of them; lines about another lot are there by their hash alone."""
    result = verify(made.bundle, Trusted())
    told = [row for row in rows(made.bundle) if "text" in row]
    assert (result.findings, result.linked) == ([], len(told))
    with closing(sqlite3.connect(made.ledger)) as connection:
        last, count = connection.execute("SELECT hash, number FROM chain ORDER BY number DESC LIMIT 1").fetchone()
    assert (rows(made.bundle)[-1]["hash"], len(told) < count) == (last.hex(), True)
    assert not [note for note in result.notes if "checkpoint" in note or "events are from before" in note]


def test_the_newest_line_about_each_row_comes_with_its_content(made: Made) -> None:
    """So that each attempt, unit, request and certificate of the bundle is the one that the chain has."""
    with_row = {(row["table"], row["key"]) for row in map(_recorded, rows(made.bundle)) if row["content"]}
    for member, table, key in (
        (UNITS, "identity", "identity"),
        (ATTEMPTS, "attempt", "attempt"),
        (REQUESTS, "pki_request", "request"),
    ):
        listed = {(table, json.loads(line)[key]) for line in members(made.bundle)[member].splitlines()}
        assert listed <= with_row


def _recorded(row: Row) -> Row:
    """Table and key of the row that a line is about, and whether the row's content comes with it."""
    told = json.loads(str(row.get("text", "[0,0,0,0,{}]")))[4]
    return {"table": told.get("table"), "key": told.get("key"), "content": "row" in row}


def test_the_order_of_hashed_values_is_that_of_the_ledger() -> None:
    """The reader of a bundle has the columns of its own, without the ledger's code."""
    assert {table: recording.BY_NAME[table].columns for table in COLUMNS} == COLUMNS


CHANGED = {
    "identity": (
        "UPDATE identity SET manufacturing_date = '20200101' WHERE lot_index = 2",
        "of identity was changed in the ledger",
    ),
    "certificate": (
        "UPDATE certificate SET issued_at = '2026-01-01T00:00:00.000Z' WHERE request_id = 3",
        "row 3 of certificate was changed",
    ),
    "bytes as their digits": (
        "UPDATE pki_request SET csr = lower(hex(csr)) WHERE id = 3",
        "of pki_request was changed in the ledger",
    ),
    "decision": ("UPDATE unit_event SET reason = 'nothing'", "of unit_event was changed in the ledger"),
    "event": (
        'UPDATE event SET body = \'{"step": "lock"}\' WHERE id = 40',
        "was changed: its hash is not that of its text",
    ),
    "request": ("DELETE FROM pki_request WHERE uid LIKE '%17'", "of pki_request was changed in the ledger, or removed"),
}


@pytest.mark.parametrize("what", CHANGED)
def test_what_was_changed_in_the_ledger_is_found_in_its_bundle(made: Made, tmp_path: Path, what: str) -> None:
    """The station signs what its ledger says, and the chain in it says something else."""
    statement, said = CHANGED[what]
    copy, file = tmp_path / "ledger.sqlite", tmp_path / "lot.zip"
    with closing(sqlite3.connect(made.ledger)) as before, closing(sqlite3.connect(copy)) as after:
        before.backup(after)
        for (trigger,) in after.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            after.execute(f"DROP TRIGGER {trigger}")
        after.execute("PRAGMA foreign_keys=OFF")
        after.execute(statement)
        after.commit()
    given = ("--to", file, "--signing-key", made.key_file, "--ledger", copy)
    assert station("lots", "evidence", LOT, *given).exit_code == 0
    assert [each for each in verify(file, Trusted()).findings if said in str(each)]


def test_what_is_sealed_stays_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A shared ledger has secrets under the fleet's key in its journal for the centre; its bundle has none of them."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("machine")))
    path, file = tmp_path / "ledger.sqlite", tmp_path / "lot.zip"
    asyncio.run(_shared(path))
    given = ("--to", file, "--signing-key", key_file(tmp_path)[0], "--ledger", path, "--open")
    assert station("lots", "evidence", RECIPE.lot.name, *given).exit_code == 0
    with closing(sqlite3.connect(path)) as connection:
        told = connection.execute("SELECT body FROM chain WHERE type = 'IdentityTaken'").fetchall()
    whole = b"".join(members(file).values())
    assert [json.loads(body)["sealed"].encode() in whole for (body,) in told] == [False]
    result = verify(file, Trusted())
    assert (result.findings, result.passed) == ([], 1)


async def _shared(path: Path) -> None:
    async with stocked(path) as (ledger, secrets):
        await provisioned(ledger, secrets, 1, Passed())


@pytest.mark.parametrize("word", ["Confirmed", "RowRecorded", "StepStarted"])
def test_a_changed_line_is_named(bundle: Path, tmp_path: Path, word: str) -> None:
    def changed(told: list[Row]) -> list[Row]:
        place = next(at for at, row in enumerate(told) if f'"{word}"' in str(row.get("text")))
        return [
            *told[:place],
            {**told[place], "text": str(told[place]["text"]).replace("Z", "Y", 1)},
            *told[place + 1 :],
        ]

    assert [
        each for each in found(bundle, tmp_path, changed) if "was changed: its hash is not that of its text" in each
    ]


def test_a_removed_and_a_moved_line_are_named(bundle: Path, tmp_path: Path) -> None:
    assert [each for each in found(bundle, tmp_path, lambda told: told[:9] + told[10:]) if "lines are missing" in each]
    moved = found(bundle, tmp_path, lambda told: [*told[:9], told[10], told[9], *told[11:]])
    assert [each for each in moved if "follows line" in each]


def test_a_line_with_a_hash_of_its_own_making_is_named(bundle: Path, tmp_path: Path) -> None:
    """The next line does not link to it."""

    def forged(told: list[Row]) -> list[Row]:
        return [*told[:9], {**told[9], "hash": "00" * 32}, *told[10:]]

    assert len([each for each in found(bundle, tmp_path, forged) if "was changed" in each]) == 2


def test_who_wants_a_chain_is_told_of_a_journal_without_one(bundle: Path, tmp_path: Path) -> None:
    """Else it is that of a lot from before the chain."""
    contents, (_, key) = members(bundle), key_file(tmp_path)
    lines = [json.loads(str(row["text"])) for row in rows(bundle) if "text" in row]
    events = [line for line in lines if isinstance(line[3], int)]
    told = [{"event": number, "text": json.dumps([None, *line[1:]])} for number, line in enumerate(events, start=1)]
    bare = b"".join(json.dumps(row).encode() + b"\n" for row in told)
    lie = resigned(tmp_path / "lie.zip", {**contents, JOURNAL: bare}, key)
    refused = f"{JOURNAL}: {len(told)} events have no line of the chain"
    assert refused in [str(each) for each in verify(lie, Trusted(chained=True)).findings]
    assert refused not in [str(each) for each in verify(lie, Trusted()).findings]


def with_checkpoint(
    bundle: Path, folder: Path, change: Callable[[Checkpoint], Checkpoint], signs: Key, *, at: int
) -> list[str]:
    """What is found in a bundle, signed by the first key that this makes, with a checkpoint of the journal's line at this place."""
    _, key = key_file(folder)
    told = [row for row in rows(bundle) if "text" in row][at]
    hashed, number = bytes.fromhex(str(told["hash"])), told["number"]
    assert isinstance(number, int)
    checkpoint = change(Checkpoint("line-1", "00" * 16, 0, number, hashed, datetime(2026, 1, 1, tzinfo=UTC)))
    contents = members(bundle)
    head = json.loads(contents[AUDIT])["head"]
    audit = {"head": head, "checkpoint": checkpoint.signed(signs or key).line()}
    made = resigned(folder / "signed.zip", {**contents, AUDIT: json.dumps(audit).encode()}, key)
    result = verify(made, Trusted())
    return [str(each) for each in result.findings] + [note for note in result.notes if "later" in note]


def test_the_journal_leads_to_the_signed_checkpoint(bundle: Path, tmp_path: Path) -> None:
    """Lines behind it are counted."""
    assert with_checkpoint(bundle, tmp_path, lambda signed: signed, None, at=-1) == []
    assert with_checkpoint(bundle, tmp_path, lambda signed: signed, None, at=-4) == [
        "3 lines of the lot are later than the newest checkpoint"
    ]


def test_a_checkpoint_that_the_journal_does_not_lead_to_is_named(bundle: Path, tmp_path: Path) -> None:
    """A journal that was written anew, a ledger that was set back, and a bundle that another key has signed."""
    other = Ed25519PrivateKey.generate()
    anew = with_checkpoint(bundle, tmp_path, lambda signed: replace(signed, hash=bytes(32)), None, at=-1)
    assert [each for each in anew if "is not the one that the station has signed" in each]
    back = with_checkpoint(bundle, tmp_path, lambda signed: replace(signed, number=10**6), None, at=-1)
    assert [each for each in back if "the ledger was set back" in each]
    resigned_by_another = with_checkpoint(bundle, tmp_path, lambda signed: signed, other, at=-1)
    assert [
        each
        for each in resigned_by_another
        if f"signed by the key {other.public_key().public_bytes_raw().hex()}" in each
    ]


def test_a_checkpoint_whose_signature_is_wrong_is_named(bundle: Path, tmp_path: Path) -> None:
    contents, (_, key) = members(bundle), key_file(tmp_path)
    audit = json.loads(contents[AUDIT])
    place = Checkpoint("line-1", "00" * 16, 0, 1, bytes(32), datetime(2026, 1, 1, tzinfo=UTC))
    line = replace(place.signed(key), signature=bytes(64)).line()
    made = resigned(tmp_path / "x.zip", {**contents, AUDIT: json.dumps({**audit, "checkpoint": line}).encode()}, key)
    assert "audit.json: the signature of the checkpoint is wrong" in map(str, verify(made, Trusted()).findings)


def test_a_journal_that_ends_early_is_named(bundle: Path, tmp_path: Path) -> None:
    """Its last lines were cut off: it does not reach the chain's head."""
    told = found(bundle, tmp_path, lambda every: every[:-3])
    assert [each for each in told if "which is not the chain's head" in each]


def test_a_lot_from_before_the_chain_and_an_attempt_that_still_runs_are_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The ledger began its chain after the lot was opened, and is read in the middle of an attempt whose board is known."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("machine")))
    path, file = tmp_path / "ledger.sqlite", tmp_path / "lot.zip"
    asyncio.run(_opened_before(path))
    given = ("--to", file, "--signing-key", key_file(tmp_path)[0], "--ledger", path, "--open")
    assert station("lots", "evidence", LOT, *given).exit_code == 0
    result = verify(file, Trusted())
    assert (result.findings, result.passed, result.attempts) == ([], 1, 2)


async def _opened_before(path: Path) -> None:
    async with Ledger.open(path, station="line-1") as ledger:
        order = LotOpened(LOT, "WO-1", RECIPE.name, RECIPE.sha256, 20, "W{:04d}", 1, 30)
        await ledger.open_lot(order, Decision("anna", "order of the week"))
    execute(path, "DELETE FROM chain")
    execute(path, "DELETE FROM chain_base")
    async with Ledger.open(path, station="line-1") as ledger:
        secrets = Secrets()
        await provisioned(ledger, secrets, 10, Passed())
        await recognised(await begun(ledger, secrets), 11)
        with closing(sqlite3.connect(path)) as before, closing(sqlite3.connect(path.with_name("copy"))) as after:
            before.backup(after)
    path.with_name("copy").replace(path)
