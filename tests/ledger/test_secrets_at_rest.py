# SPDX-License-Identifier: Apache-2.0
"""Onboarding secrets are in no file of the ledger, and a ledger without the station's key opens none."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.adapters.ledger.register import default_folder
from station.faults import LineFault
from tests.builders.bench import Secrets, begun, onboarding, passed, rows, target
from tests.ledger.test_totals import make_first_version

SECRET = (b"canary salt", b"canary verifier")


def raw(path: Path) -> bytes:
    """All that is in the ledger's files."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")))


def key_files() -> list[Path]:
    return sorted((default_folder() / "keys").iterdir())


def holds_a_secret(path: Path) -> bool:
    return any(secret in raw(path) for secret in SECRET)


async def of_the_first_version(path: Path, units: int) -> None:
    """A ledger of the first version, with its secrets in clear."""
    now = path.parent / "now" / path.name
    now.parent.mkdir()
    async with Ledger.open(now, station="line-1") as ledger:
        for board in range(1, units + 1):
            await passed(await begun(ledger, Secrets((board,))), board=board, dac_serial_number=f"{board:02}")
    make_first_version(path, now)
    shutil.rmtree(now.parent)
    assert holds_a_secret(path)


async def test_the_files_of_an_open_ledger_hold_no_secret(path: Path) -> None:
    """The write-ahead log is one of them."""
    async with Ledger.open(path, station="line-1") as ledger:
        identity = await passed(await begun(ledger, Secrets((1,))), board=1)
        assert identity.secrets == onboarding(1)
        assert not holds_a_secret(path)
        assert identity.rotating_device_id is not None
        assert identity.rotating_device_id.encode() not in raw(path)
        assert (await ledger.identity(target(1).uid)) is not None
    assert not holds_a_secret(path)


async def test_a_migration_takes_the_secrets_out_of_the_file(path: Path) -> None:
    await of_the_first_version(path, units=60)
    async with Ledger.open(path, station="line-1") as ledger:
        assert not holds_a_secret(path)
        found = await ledger.identity(target(7).uid)
        assert found is not None
        assert found.secrets == onboarding(7)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'onboarding_secret'").fetchone() == (
            0,
        )


async def test_a_missing_key_is_told_with_the_remedy_and_none_is_made(path: Path) -> None:
    async with Ledger.open(path, station="line-1") as ledger:
        await passed(await begun(ledger, Secrets((1,))), board=1)
    (key,) = key_files()
    kept = key.read_bytes()
    key.unlink()
    with pytest.raises(LineFault, match=f"key {key.stem} wraps .* there is none. Put the key's file back"):
        async with Ledger.open(path, station="line-1"):
            pass
    assert key_files() == []
    key.write_bytes(kept)
    key.chmod(0o600)
    async with Ledger.open(path, station="line-1") as ledger:
        assert (await ledger.identity(target(1).uid)) is not None


async def test_another_key_is_refused(path: Path, tmp_path: Path) -> None:
    mine, other = tmp_path / "mine.key", tmp_path / "other.key"
    async with Ledger.open(path, station="line-1", key=mine) as ledger:
        await passed(await begun(ledger, Secrets((1,))), board=1)
    (tmp_path / "b").mkdir()
    async with Ledger.open(tmp_path / "b" / path.name, station="line-2", key=other):
        pass
    with pytest.raises(LineFault, match=f"{other}: key .* and there is [0-9a-f]{{16}}"):
        async with Ledger.open(path, station="line-1", key=other):
            pass
    assert rows(path, "SELECT count(*) FROM sealed_secret") == [(1,)]
