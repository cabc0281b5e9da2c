# SPDX-License-Identifier: Apache-2.0
"""The upgrade path of the run book, from every ledger that an earlier version wrote: backup, check, start, and back again."""

import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from station.adapters.ledger.reader import LedgerReader
from station.cli.exit_codes import DONE, ENVIRONMENT
from tests.builders.bench import execute, rows
from tests.builders.line import Line, LineFailed
from tests.builders.station_demo import ROOT, SHORT_DEADLINES
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

VECTORS = ROOT / "tests" / "vectors" / "ledgers"
OLD = sorted(path.stem for path in VECTORS.glob("*.sql"))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """A line whose daemon is stopped; each test brings a ledger of its own."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in SHORT_DEADLINES.items():
            patched.setenv(name, value)
        with Line.standing(
            tmp_path_factory.mktemp("upgrade") / "line", 1, seed=2026
        ) as line:  # no board of the old ledgers
            standing = Standing(line)
            stop(standing)
            yield standing


def stop(standing: Standing) -> None:
    process = standing.line.processes["daemon"]
    process.send_signal(signal.SIGTERM)
    process.wait(300)


def put_back(standing: Standing, name: str) -> Path:
    """The state folder as that earlier version left it, and this machine without a memory of other ledgers."""
    folder = standing.line.folder
    for path in folder.glob("ledger.sqlite*"):
        path.unlink()
    shutil.rmtree(folder / "witness", ignore_errors=True)
    ledger = folder / "ledger.sqlite"
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.executescript((VECTORS / f"{name}.sql").read_text(encoding="utf-8"))
    key = (VECTORS / f"{name}.key").read_text(encoding="ascii")
    ledger.with_name("ledger.sqlite.key").write_bytes(bytes.fromhex(key))
    for path in folder.glob("ledger.sqlite*"):
        path.chmod(0o600)
    return ledger


def adopted(standing: Standing, name: str) -> None:
    """A ledger that records its place comes from another folder here, so that a person says that it may go on."""
    if not name.startswith("0001"):
        done = standing.line.command("ledger", "restored", "--skip", "1", "--yes")
        assert done.returncode == DONE, done.stdout + done.stderr


@pytest.mark.parametrize("name", OLD)
def test_a_board_passes_on_each_old_ledger(bench: Standing, name: str) -> None:
    """The units of the old ledger are still known, and the new unit has a serial number of its own."""
    ledger = put_back(bench, name)
    known = rows(ledger, "SELECT uid, serial_number FROM identity ORDER BY id")
    attempts = rows(ledger, "SELECT count(*) FROM attempt")[0][0]
    assert known
    adopted(bench, name)
    bench.line.start_daemon()
    try:
        slot = bench.next_board(1)
    finally:
        stop(bench)
    assert slot.verdict == "pass", slot
    reader = LedgerReader(ledger)
    for uid, serial_number in known:
        unit = reader.unit(str(serial_number))
        assert unit is not None
        assert {story.summary.uid for story in unit.attempts} == {uid}
    assert slot.uid not in {uid for uid, _ in known}
    assert isinstance(attempts, int)
    assert reader.totals().attempts == attempts + 1
    assert bench.line.command("ledger", "check").returncode == DONE


def test_the_way_back_is_the_backup(bench: Standing) -> None:
    """An older version refuses the ledger of a newer one and says what to do; with the backup from before it goes on."""
    ledger = put_back(bench, OLD[0])
    bench.line.start_daemon()
    try:
        assert bench.next_board(1).verdict == "pass"
    finally:
        stop(bench)
    saved = bench.line.folder / "before.sqlite"
    assert bench.line.command("ledger", "backup", saved).returncode == DONE
    (newest,) = rows(ledger, "SELECT version_num FROM alembic_version")[0]
    execute(ledger, "UPDATE alembic_version SET version_num = '9999'")  # as an upgrade to a later version would
    with pytest.raises(LineFailed) as failed:
        bench.line.start_daemon()
    assert bench.line.processes["daemon"].wait(300) == ENVIRONMENT
    assert "a later version of the station wrote it: its tables are of version 9999" in str(failed.value)
    assert f"those up to {newest}." in str(failed.value)
    assert "Start the later version again, or put the backup from before the upgrade back" in str(failed.value)

    for path in bench.line.folder.glob("ledger.sqlite-*"):
        path.unlink()
    shutil.copyfile(saved, ledger)
    shutil.copyfile(f"{saved}.key", f"{ledger}.key")
    done = bench.line.command("ledger", "restored", "--skip", "16", "--yes")
    assert done.returncode == DONE, done.stdout + done.stderr
    bench.line.start_daemon()
    try:
        assert bench.next_board(1).verdict == "pass"
    finally:
        stop(bench)
