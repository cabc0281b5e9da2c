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

from station.domain.attempt import Failed, Passed
from station.domain.checkpoint import Checkpoint
from station.evidence.form import AUDIT, JOURNAL
from station.evidence.verifying import Trusted, verify
from tests.builders.bench import LOT
from tests.builders.commands import station
from tests.builders.lot_evidence import key_file, members, provisioned, resigned
from tests.builders.sharing import stocked

Row = dict[str, object]
Key = Ed25519PrivateKey | None


async def _work(path: Path) -> None:
    async with stocked(path) as (ledger, secrets):
        for board in range(1, 4):
            await provisioned(ledger, secrets, board, Passed())
        await provisioned(ledger, secrets, 4, Failed("board.possession_unproven"))


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chained") / "ledger.sqlite"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("machine")))
        asyncio.run(_work(path))
    return path


@pytest.fixture(scope="module")
def bundle(ledger: Path) -> Path:
    """The bundle of the recipe's lot."""
    file = ledger.with_name("lot.zip")
    given = ("--to", file, "--signing-key", key_file(ledger.parent)[0], "--ledger", ledger, "--open")
    assert station("lots", "evidence", LOT.name, *given).exit_code == 0
    return file


def rows(file: Path) -> list[Row]:
    return [json.loads(line) for line in members(file)[JOURNAL].splitlines()]


def found(bundle: Path, folder: Path, change: Callable[[list[Row]], list[Row]]) -> list[str]:
    """What is found in a bundle whose journal was changed, and that is signed again."""
    contents, (_, key) = members(bundle), key_file(folder)
    journal = b"".join(json.dumps(row).encode() + b"\n" for row in change(rows(bundle)))
    told = verify(resigned(folder / "lie.zip", {**contents, JOURNAL: journal}, key), Trusted())
    return [str(each) for each in told.findings]


def test_each_line_of_the_lot_links_to_the_one_before(ledger: Path, bundle: Path) -> None:
    """Up to the hash that the ledger has for the last of them."""
    result = verify(bundle, Trusted())
    assert result.findings == []
    told = [row for row in rows(bundle) if "text" in row]
    assert result.linked == len(told) > 100
    with closing(sqlite3.connect(ledger)) as connection:
        (last,) = connection.execute("SELECT hash FROM chain WHERE number = ?", (told[-1]["number"],)).fetchone()
    assert told[-1]["hash"] == last.hex()


def test_what_is_sealed_stays_out(ledger: Path, bundle: Path) -> None:
    """The line of an identity has its secrets under the fleet's key: its hash is there, its text is not."""
    with closing(sqlite3.connect(ledger)) as connection:
        query = "SELECT number, body FROM chain WHERE type = 'IdentityTaken'"
        sealed = {number: json.loads(body)["sealed"] for number, body in connection.execute(query)}
    assert len(sealed) == 4
    whole = b"".join(members(bundle).values())
    assert not [number for number, content in sealed.items() if content.encode() in whole]
    assert sealed.keys() <= {row["upto"] for row in rows(bundle) if "upto" in row}


@pytest.mark.parametrize("word", ["Confirmed", "AttemptEnded", "CertificateIssued", "StepStarted"])
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


def with_checkpoint(
    bundle: Path, folder: Path, change: Callable[[Checkpoint], Checkpoint], signs: Key, *, at: int
) -> list[str]:
    """What is found in a bundle, signed by the first key that this makes, with a checkpoint of the journal's line at this place."""
    _, key = key_file(folder)
    told = [row for row in rows(bundle) if "text" in row][at]
    hashed, number = bytes.fromhex(str(told["hash"])), told["number"]
    assert isinstance(number, int)
    checkpoint = change(Checkpoint("line-1", "00" * 16, 1, number, hashed, datetime(2026, 1, 1, tzinfo=UTC)))
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
    place = Checkpoint("line-1", "00" * 16, 1, 1, bytes(32), datetime(2026, 1, 1, tzinfo=UTC))
    line = replace(place.signed(key), signature=bytes(64)).line()
    made = resigned(tmp_path / "x.zip", {**contents, AUDIT: json.dumps({**audit, "checkpoint": line}).encode()}, key)
    assert "audit.json: the signature of the checkpoint is wrong" in map(str, verify(made, Trusted()).findings)


def test_a_journal_that_ends_early_is_named(bundle: Path, tmp_path: Path) -> None:
    """Its last lines were cut off: it does not reach the chain's head."""
    told = found(bundle, tmp_path, lambda every: every[:-3])
    assert [each for each in told if "which is not the chain's head" in each]
