# SPDX-License-Identifier: Apache-2.0
"""Onboarding secrets are in no file of the ledger, and a ledger without the station's key opens none."""

import hashlib
import hmac
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger, backup, rotation
from station.adapters.ledger.pairing import PairingKey
from station.adapters.ledger.register import Register, default_folder
from station.adapters.ledger.station_keys import StationKeys
from station.adapters.ledger.vault import Vault
from station.domain.intervention import DecisionRefused
from station.faults import LineFault
from station.faults.line import LedgerDamaged
from station.faults.slot import UnitForgotten
from tests.builders.bench import Secrets, begun, execute, onboarding, passed, rows, target
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


# Opens the ledger, and kills itself at the given look of SQLite's progress handler: within a statement, VACUUM among them.
KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine
from station.adapters.ledger import Ledger
path, at = Path(sys.argv[1]), int(sys.argv[2])
looks = [0]
def look():
    looks[0] += 1
    if looks[0] == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return 0
event.listen(Engine, "connect", lambda connection, _: connection.set_progress_handler(look, 500))
async def opened():
    async with Ledger.open(path, station="line-1"):
        pass
asyncio.run(opened())
print("looks", looks[0])
"""


def opened_until(path: Path, at: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(at)], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
async def test_a_migration_that_is_killed_is_ended_by_the_next_start(path: Path) -> None:
    """At moments from its beginning to the end of the VACUUM: every unit opens, and no file has anything in clear."""
    await of_the_first_version(path, units=20)
    folder, machine = path.parent, default_folder()
    shutil.rmtree(machine)  # the old ledger is of a machine that has no records of it
    old = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    whole = opened_until(path, 0)
    looks = int(whole.stdout.rpartition("looks")[2])
    killed = 0
    for part in (30, 70, 85, 93, 98):
        for file in folder.glob(f"{path.name}*"):
            file.unlink()
        shutil.rmtree(machine)
        for name, content in old.items():
            (folder / name).write_bytes(content)
        killed += opened_until(path, max(1, looks * part // 100)).returncode == -signal.SIGKILL
        async with Ledger.open(path, station="line-1") as ledger:
            assert not holds_a_secret(path)
            for board in (1, 10, 20):
                found = await ledger.identity(target(board).uid)
                assert found is not None
                assert found.secrets == onboarding(board)
        assert rows(path, "SELECT count(*) FROM sealed_secret") == [(20,)]
        assert len(key_files()) == 1
    assert killed >= 4


async def test_a_backup_holds_no_secret_and_needs_no_key(path: Path, tmp_path: Path) -> None:
    """Neither the copy nor the file beside it; the station's key is not in it."""
    async with Ledger.open(path, station="line-1") as ledger:
        await passed(await begun(ledger, Secrets((1,))), board=1)
        (key,) = key_files()
        backup.write(path, tmp_path / "copy.sqlite", Register(default_folder()))
    key.unlink()
    backup.write(path, tmp_path / "again.sqlite", Register(default_folder()))
    for copy in (tmp_path / "copy.sqlite", tmp_path / "again.sqlite"):
        assert not holds_a_secret(copy)


async def test_a_ledger_whose_key_is_lost_goes_on_without_its_units(path: Path) -> None:
    """Only when somebody says so, and only while the key is gone; serial numbers and pairs stay taken."""
    async with Ledger.open(path, station="line-1") as ledger:
        await passed(await begun(ledger, Secrets((1,))), board=1)
    (key,) = key_files()
    folder = default_folder()
    with pytest.raises(DecisionRefused, match="rotate"):
        rotation.give_up(path, Register(folder), StationKeys.of(folder, path), who="anna", reason="lost")
    key.unlink()
    _, units = rotation.give_up(path, Register(folder), StationKeys.of(folder, path), who="anna", reason="lost")
    assert units == 1
    async with Ledger.open(path, station="line-1") as ledger:
        secrets = Secrets((1, 2))
        identity = await passed(await begun(ledger, secrets), board=2, dac_serial_number="02")
        assert (secrets.taken, identity.serial_number) == (2, "SN000002")
        with pytest.raises(UnitForgotten):
            await ledger.identity(target(1).uid)


async def test_a_secret_in_another_units_row_does_not_open(path: Path) -> None:
    """The seal is bound to UID and identity."""
    async with Ledger.open(path, station="line-1") as ledger:
        for board in (1, 2):
            await passed(await begun(ledger, Secrets((board,))), board=board, dac_serial_number=f"0{board}")
    execute(
        path,
        "UPDATE sealed_secret SET (wrapped_key, content) = (SELECT wrapped_key, content FROM sealed_secret WHERE"
        " identity_id = 1) WHERE identity_id = 2",
    )
    async with Ledger.open(path, station="line-1") as ledger:
        with pytest.raises(LedgerDamaged, match="do not open"):
            await ledger.identity(target(2).uid)
        assert await ledger.identity(target(1).uid) is not None


async def test_a_copied_state_folder_leaves_only_guesses(path: Path, tmp_path: Path) -> None:
    """Every value of every table: none is a secret or a hash of one against which somebody could try all passcodes.

    The one that depends on the passcode is the pair's mark, and with its key it still fits thousands.
    """
    async with Ledger.open(path, station="line-1") as ledger:
        await passed(await begun(ledger, Secrets((1,))), board=1)
        for file in path.parent.glob(f"{path.name}*"):
            shutil.copy(file, tmp_path / f"stolen{file.name.removeprefix(path.name)}")
    stolen, secret = tmp_path / "stolen", onboarding(1)
    tables = [name for (name,) in rows(stolen, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    values = {str(name): rows(stolen, f"SELECT * FROM {name}") for name in tables}  # noqa: S608  the ledger's own names
    assert values["sealed_secret"]
    key = PairingKey((tmp_path / "stolen.key").read_bytes())
    passcode = secret.passcode.value
    tried = [secret.passcode.digits.encode(), *(passcode.to_bytes(4, order) for order in ("little", "big"))]
    hashes = [hmac.digest(key.key, each, "sha256") for each in tried] + [
        hashlib.sha256(each).digest() for each in tried
    ]
    found = [value for table in values.values() for row in table for value in row]
    assert not [value for value in found if value in {passcode, secret.salt, secret.verifier, *tried, *hashes}]
    # The chain's hashes are over rows that are here, too: they tell nobody more.
    others = [
        value for name, table in values.items() if name not in {"chain", "chain_base"} for row in table for value in row
    ]
    blobs = [value for value in others if isinstance(value, bytes) and len(value) < 60]
    assert blobs == [key.mark(secret)]
    with pytest.raises(LineFault, match="there is none"):
        Vault(
            stolen,
            StationKeys.of(tmp_path / "another machine", stolen, environment={}),
            str(values["secrets_state"][0][1]),
        )


async def test_forgetting_that_is_killed_before_the_log_is_emptied_is_ended_by_the_next_start(path: Path) -> None:
    """The unit is forgotten once the transaction is durable; its key leaves the log at the latest at the next opening."""
    async with Ledger.open(path, station="line-1") as ledger:
        await passed(await begun(ledger, Secrets((1,))), board=1)
    ((wrapped,),) = rows(path, "SELECT wrapped_key FROM sealed_secret")
    assert isinstance(wrapped, bytes)
    script = """
import asyncio, os, signal, sys
from pathlib import Path
from station.adapters.ledger import Ledger, scrubbing
from station.domain.target import UID
async def forget():
    async with Ledger.open(Path(sys.argv[1]), station="line-1") as ledger:
        scrubbing.truncate = lambda _: os.kill(os.getpid(), signal.SIGKILL)
        await ledger.forget(UID.parse(sys.argv[2]), who="anna", reason="sold")
asyncio.run(forget())
"""
    command = [sys.executable, "-c", script, str(path), str(target(1).uid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: ASYNC221
    assert done.returncode == -signal.SIGKILL, done.stderr
    async with Ledger.open(path, station="line-1") as ledger:
        assert wrapped not in raw(path)
        with pytest.raises(UnitForgotten):
            await ledger.identity(target(1).uid)


async def test_a_spoiled_key_of_another_ledger_stops_no_line(path: Path) -> None:
    """All ledgers of a PC have their keys in one folder."""
    async with Ledger.open(path, station="line-1") as ledger:
        await passed(await begun(ledger, Secrets((1,))), board=1)
    (mine,) = key_files()
    for name in ("0" * 16, "f" * 16):
        mine.with_name(f"{name}.key").write_text("half a k")
        mine.with_name(f"{name}.key").chmod(0o644)
    async with Ledger.open(path, station="line-1") as ledger:
        assert (await ledger.identity(target(1).uid)) is not None
