# SPDX-License-Identifier: Apache-2.0
"""The journal of a bundle where the ledger has a chain: each line links to the one before it."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from station.domain.attempt import Failed, Passed
from station.evidence.form import JOURNAL
from station.evidence.verifying import Trusted, verify
from tests.builders.bench import LOT
from tests.builders.commands import station
from tests.builders.lot_evidence import key_file, members, provisioned, resigned
from tests.builders.sharing import stocked

Row = dict[str, object]


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
