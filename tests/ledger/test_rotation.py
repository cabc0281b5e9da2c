# SPDX-License-Identifier: Apache-2.0
"""The station's key is replaced, whatever is killed meanwhile, and the old one then opens nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger, rotation, secrets_deeds
from station.adapters.ledger.register import Register, default_folder
from station.adapters.ledger.station_keys import StationKeys
from station.faults import LineFault
from station.faults.line import LedgerUnavailable
from tests.builders.bench import Secrets, begun, onboarding, passed, rows, target
from tests.ledger.test_secrets_at_rest import key_files, raw

UNITS = 7
# Kills itself at the given call of os.fsync, of SQLite's COMMIT, or of a file's removal, which together are every lasting step.
KILLED = """
import os, signal, sys
from pathlib import Path
from sqlalchemy.engine import Engine
from sqlalchemy import event
from station.adapters.ledger import rotation
from station.adapters.ledger.register import Register
from station.adapters.ledger.station_keys import StationKeys
path, folder, at = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
key = Path(sys.argv[4]) if len(sys.argv) > 4 else None
left = [at]
def step(*_):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
def stepping(done):
    def instead(*arguments, **named):
        step()
        return done(*arguments, **named)
    return instead
os.fsync, os.unlink, Path.rename, Path.unlink = map(stepping, (os.fsync, os.unlink, Path.rename, Path.unlink))
event.listen(Engine, "commit", step)
rotation.rotate(path, Register(folder), StationKeys.of(folder, path, key), who="anna", reason="", every=3)
print(at - left[0])
"""


async def made(path: Path, key: Path | None = None) -> None:
    async with Ledger.open(path, station="line-1", key=key) as ledger:
        for board in range(1, UNITS + 1):
            await passed(await begun(ledger, Secrets((board,))), board=board, dac_serial_number=f"{board:02}")
        await ledger.forget(target(5).uid, who="anna", reason="sold")


async def all_open(path: Path, key: Path | None = None) -> None:
    """Asserts that the ledger opens every unit's secrets but those of the forgotten one."""
    async with Ledger.open(path, station="line-1", key=key) as ledger:
        for board in {*range(1, UNITS + 1)} - {5}:
            found = await ledger.identity(target(board).uid)
            assert found is not None
            assert found.secrets == onboarding(board)


def rotate(path: Path, key: Path | None = None) -> str:
    folder = default_folder()
    return rotation.rotate(path, Register(folder), StationKeys.of(folder, path, key), who="anna", reason="")


async def test_the_old_key_is_gone_and_opens_nothing(path: Path) -> None:
    await made(path)
    (old,) = key_files()
    kept = old.read_bytes()
    ((wrapped,),) = rows(path, "SELECT wrapped_key FROM sealed_secret WHERE identity_id = 3")
    assert isinstance(wrapped, bytes)
    new = rotate(path)
    assert [file.stem for file in key_files()] == [new]
    assert wrapped not in raw(path)
    await all_open(path)
    (key,) = key_files()
    key.unlink()
    old.write_bytes(kept)
    old.chmod(0o600)
    with pytest.raises(LedgerUnavailable, match=f"key {new} wraps"):
        await all_open(path)


async def test_it_is_recorded_with_the_new_keys_id(path: Path) -> None:
    await made(path)
    new = rotate(path)
    deed = list(secrets_deeds.history(path))[-1]
    assert (deed.deed, deed.who, deed.units, deed.recipient) == ("rotate", "anna", UNITS - 1, new)


@pytest.mark.slow
@pytest.mark.parametrize("named", [False, True], ids=["folder of keys", "one file"])
async def test_killed_at_every_lasting_step_it_is_ended_by_the_next_call(
    path: Path, tmp_path: Path, register: Path, *, named: bool
) -> None:
    """Until then the daemon opens the ledger and all its units."""
    key = tmp_path / "station.key" if named else None
    await made(path, key)
    steps, killed = 1, 0
    while True:
        given = [str(path), str(default_folder()), str(steps), *([str(key)] if key else [])]
        done = subprocess.run([sys.executable, "-c", KILLED, *given], capture_output=True, text=True, check=False)  # noqa: ASYNC221
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        killed += 1
        if steps % 4 == 0:
            await all_open(path, key)
        new = rotate(path, key)
        assert rotation.status(path, StationKeys.of(default_folder(), path, key)).wrapped == {new: UNITS - 1}
        await all_open(path, key)
        steps += 3 if named else 1
    assert killed >= 4
    assert int(done.stdout.split()[-1]) < steps
    text = "".join(file.read_text() for file in ([key] if key else key_files()))
    assert text.count("matter-station-key 1 ") == 1


async def test_a_running_daemon_keeps_it_away(path: Path) -> None:
    async with Ledger.open(path, station="line-1"):
        with pytest.raises(LineFault, match=f"process {os.getpid()} is writing it"):
            rotate(path)


async def test_a_key_that_systemd_hands_over_is_not_replaced(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is used before the station's own; where it is renewed, --key names its source."""
    key = tmp_path / "credentials" / "station-key"
    key.parent.mkdir()
    await made(path, key)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(key.parent))
    key.chmod(0o440)
    await all_open(path)
    with pytest.raises(LedgerUnavailable, match="systemd hands this key over"):
        rotate(path)
    key.chmod(0o600)
    rotate(path, key)
    await all_open(path)
