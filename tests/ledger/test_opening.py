# SPDX-License-Identifier: Apache-2.0
"""Opening a ledger: its owner, the files beside it, and the refusals."""

import os
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from station.adapters.ledger import Ledger, sqlite
from station.adapters.ledger.tables import metadata
from station.faults.line import LedgerDamaged, LedgerUnavailable
from tests.builders.bench import Secrets, begun, execute, recognised, rows


async def refused(path: Path, *, match: str) -> None:
    with pytest.raises(LedgerUnavailable, match=match):
        async with Ledger.open(path, station="line-1"):
            pass


async def test_a_second_daemon_is_refused_and_told_who_is_there(ledger: Ledger, path: Path) -> None:
    """Two writers can corrupt an SQLite file."""
    await refused(path, match=f"process {os.getpid()} is writing it")


async def test_the_lock_ends_with_its_daemon(path: Path) -> None:
    """The next start has nothing to clean up."""
    async with Ledger.open(path, station="line-1"):
        assert {file.name for file in path.parent.iterdir()} >= {path.name, f"{path.name}.lock", f"{path.name}.key"}
    assert {file.name for file in path.parent.iterdir()} == {path.name, f"{path.name}.key"}
    async with Ledger.open(path, station="line-1"):
        pass


async def test_a_lock_file_that_a_killed_daemon_left_does_not_lock(path: Path) -> None:
    """The kernel drops the lock with the process; the file alone means nothing."""
    path.with_name(f"{path.name}.lock").write_text("1")
    async with Ledger.open(path, station="line-1"):
        pass


async def test_the_ledgers_files_are_private(ledger: Ledger, path: Path) -> None:
    """The files hold passcodes."""
    await recognised(await begun(ledger, Secrets()), board=1)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys((f"{path.name}{end}" for end in ("", "-wal", "-shm", ".key", ".lock")), 0o600)


async def test_commits_reach_the_disk(path: Path) -> None:
    """The ledger uses a write-ahead log, flushes at every commit, and enforces foreign keys."""
    with sqlite.writing(path) as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert found == ["wal", 2, 1]


def test_migrations_make_the_tables_that_the_code_expects(path: Path) -> None:
    """A table that is changed without a migration fails this test."""
    with sqlite.writing(path) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


async def test_a_ledger_of_a_later_version_is_refused(path: Path) -> None:
    """An old station cannot know the meaning of newer tables."""
    async with Ledger.open(path, station="line-1"):
        pass
    execute(path, "UPDATE alembic_version SET version_num = '9999'")
    before = path.read_bytes()
    await refused(
        path, match=r"a later version of the station wrote it: .*9999.*put the backup from before the upgrade back"
    )
    assert path.read_bytes() == before


async def test_what_is_no_database_is_refused(path: Path) -> None:
    """The file stays unchanged."""
    path.write_bytes(b"a shopping list" * 1000)
    with pytest.raises(LedgerDamaged, match="file is not a database"):
        async with Ledger.open(path, station="line-1"):
            pass
    assert path.read_bytes() == b"a shopping list" * 1000


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The station does not make the folder, since a mistyped path must not begin a second ledger."""
    await refused(tmp_path / "nowhere" / "ledger.sqlite", match="No such file or directory")


async def test_an_odd_path_is_a_path(tmp_path: Path) -> None:
    """Characters that are special in SQLite's URIs are ordinary in a file's name."""
    path = tmp_path / "a folder?mode=memory#100%" / "ledger.sqlite"
    path.parent.mkdir()
    async with Ledger.open(path, station="line-1") as ledger:
        await recognised(await begun(ledger, Secrets()), board=1)
    assert rows(path, "SELECT count(*) FROM identity") == [(1,)]


async def test_without_the_key_of_its_hashes_a_ledger_is_refused(path: Path) -> None:
    """With a new key, pairs of passcode and discriminator could be given out again."""
    async with Ledger.open(path, station="line-1") as ledger:
        await recognised(await begun(ledger, Secrets()), board=1)
    key = path.with_name(f"{path.name}.key")
    kept = key.read_bytes()
    key.unlink()
    await refused(path, match="belongs to the ledger, restore it")
    assert not key.exists()
    key.write_bytes(bytes(32))
    await refused(path, match="not the key of this ledger")
    key.write_bytes(kept[:31])
    await refused(path, match="not the key of this ledger")
    key.write_bytes(kept)
    async with Ledger.open(path, station="line-1"):
        pass


async def test_status_tells_whether_the_ledger_is_open(path: Path) -> None:
    async with Ledger.open(path, station="line-1") as ledger:
        await begun(ledger, Secrets())
        assert ledger.status == {"state": "open", "path": str(path), "commits": 1, "reason": None}
    assert ledger.status["state"] == "closed"
