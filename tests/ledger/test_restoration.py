# SPDX-License-Identifier: Apache-2.0
"""A restored, moved or lost ledger goes on only after a person has set the number of serial numbers to skip."""

import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from station.domain.identity import Identity
from station.faults import LineFault
from station.faults.line import LedgerUnavailable
from tests.builders.bench import LOT, Secrets, begun, execute, recipe_with, recognised, rows
from tests.builders.commands import station
from tests.ledger.test_place import given_out, refused

CONFIG = """
recipe = "recipe.toml"
[station]
name = "line-1"
state = "state"
[programmer]
cli = "/opt/cli"
external_loader = "loader.stldr"
[[slot]]
name = "1"
path = "pci-0000:00:14.0-usb-0:1.1"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A line's configuration for the ledger of the path fixture."""
    file = tmp_path / "line.toml"
    file.write_text(CONFIG)
    return file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "ledger.sqlite"
    path.parent.mkdir()
    return path


def ledger_command(*arguments: str | Path, config: Path, status: int = 0) -> str:
    result = station("ledger", *arguments, "--config", config)
    assert result.exit_code == status, result.output
    return result.output


async def identities(path: Path, boards: Sequence[int], lot: str = LOT.name) -> list[Identity]:
    recipe = recipe_with(replace(LOT, name=lot, serial_number_format=f"{lot[-1]}{{:06d}}"))
    async with Ledger.open(path, station="line-1") as ledger:
        return [
            await recognised(await begun(ledger, Secrets((board,)), recipe=recipe), board, recipe) for board in boards
        ]


async def test_an_old_copy_goes_on_behind_what_was_given_out(path: Path, config: Path) -> None:
    """Five identities are lost: a smaller skip is refused, and none of their serial numbers comes again."""
    await given_out(path, [1])
    old = path.read_bytes()
    lost = await given_out(path, [2, 3, 4, 5, 6])
    path.write_bytes(old)
    await refused(path, match="station ledger restored --skip N")
    told = ledger_command("restored", "--skip", "4", config=config, status=2)
    assert "at least 5" in told
    told = ledger_command("restored", "--skip", "10", config=config)
    assert "LOT-1 goes on with its serial number 12" in told
    assert "incarnation 2" in told
    assert await given_out(path, [7]) == ["SN000012"]
    assert "SN000012" not in lost


async def test_a_lot_that_the_copy_does_not_know_skips_as_much(path: Path, config: Path) -> None:
    """The lost part of the ledger may have begun that lot."""
    await identities(path, [1], lot="LOT-A")
    old = path.read_bytes()
    await identities(path, [2, 3], lot="LOT-B")
    path.write_bytes(old)
    ledger_command("restored", "--skip", "2", config=config)
    assert [each.serial_number for each in await identities(path, [4], lot="LOT-B")] == ["B000003"]
    assert [each.serial_number for each in await identities(path, [5], lot="LOT-A")] == ["A000004"]
    assert [each.serial_number for each in await identities(path, [6], lot="LOT-B")] == ["B000004"]


async def test_an_older_copy_put_back_twice_skips_what_was_skipped_before(path: Path, config: Path) -> None:
    """The copy of the second restoration lacks the serial numbers that the first one burned."""
    await given_out(path, [1])
    old = path.read_bytes()
    await given_out(path, [2])
    path.write_bytes(old)
    ledger_command("restored", "--skip", "20", config=config)
    assert await given_out(path, [3]) == ["SN000022"]
    path.write_bytes(old)
    ledger_command("restored", "--skip", "20", config=config, status=2)
    ledger_command("restored", "--skip", "21", config=config)
    assert await given_out(path, [4]) == ["SN000023"]


async def test_a_lost_ledger_begins_behind_what_was_given_out(path: Path, config: Path) -> None:
    """The new ledger keeps the old key, which makes pairs unique."""
    await given_out(path, [1, 2])
    key = path.with_name("ledger.sqlite.key").read_bytes()
    path.unlink()
    assert "there is no ledger" in ledger_command("restored", "--skip", "1", config=config, status=2)
    ledger_command("restored", "--skip", "100", config=config)
    assert path.with_name("ledger.sqlite.key").read_bytes() == key
    assert await given_out(path, [3]) == ["SN000101"]


async def test_a_moved_ledger_opens_and_the_old_place_does_not(path: Path, config: Path, tmp_path: Path) -> None:
    """The copy in the new folder is incarnation 2, so the original is no longer the newest."""
    await given_out(path, [1])
    shutil.copytree(path.parent, tmp_path / "new")
    config.write_text(CONFIG.replace('"state"', '"new"'))
    ledger_command("restored", "--skip", "5", config=config)
    assert await given_out(tmp_path / "new" / path.name, [2]) == ["SN000007"]
    await refused(path, match="incarnation 1, and this machine knows 2")


async def test_a_deleted_ledger_can_be_saved_while_its_daemon_runs(path: Path, config: Path, tmp_path: Path) -> None:
    """The daemon still has the deleted files open; the test follows the run book."""
    saved = tmp_path / "saved"
    saved.mkdir()
    async with Ledger.open(path, station="line-1") as ledger:
        for board in (1, 2, 3):
            await recognised(await begun(ledger, Secrets((board,))), board)
        for file in path.parent.glob("ledger.sqlite*"):
            if file.suffix != ".key":
                file.unlink()
        open_files = Path(f"/proc/{os.getpid()}/fd")
        listed = subprocess.run(["ls", "-l", open_files], capture_output=True, text=True, check=False)  # noqa: ASYNC221
        for number, name in re.findall(r" (\d+) -> \S*/(ledger\.sqlite(?:-wal)?) \(deleted\)", listed.stdout):
            subprocess.run(["cp", open_files / number, saved / name], check=True)  # noqa: ASYNC221
    for file in saved.iterdir():
        shutil.move(file, path.parent)
    ledger_command("restored", "--skip", "1", config=config)
    assert await given_out(path, [4]) == ["SN000005"]


async def test_a_restoration_is_refused_while_a_daemon_holds_the_ledger(path: Path, config: Path) -> None:
    """The refused command changes nothing."""
    async with Ledger.open(path, station="line-1"):
        with pytest.raises(LineFault, match=f"process {os.getpid()} is writing it"):
            station("ledger", "restored", "--skip", "5", "--config", config)
    assert await given_out(path, [1]) == ["SN000001"]


async def test_how_much_to_skip_must_be_said(path: Path, config: Path) -> None:
    await given_out(path, [1])
    assert "--skip N" in ledger_command("restored", config=config, status=2)


async def test_a_lost_key_is_replaced_and_pairs_stay_unique(path: Path, config: Path) -> None:
    """Every pair is hashed again; the next board with the same pair gets another."""
    await given_out(path, [1, 2])
    path.with_name("ledger.sqlite.key").unlink()
    await refused(path, match="station ledger restored --new-key")
    ledger_command("restored", "--new-key", config=config)
    async with Ledger.open(path, station="line-1") as ledger:
        secrets = Secrets((1, 3))
        await recognised(await begun(ledger, secrets), 3)
    assert secrets.taken == 2
    assert len(rows(path, "SELECT DISTINCT pairing_hash FROM identity")) == 3


async def test_a_backup_is_whole_private_and_read_as_it_is(path: Path, config: Path, tmp_path: Path) -> None:
    """It is made while the daemon writes, and can be read from a read-only disk."""
    copy = tmp_path / "backup" / "one.sqlite"
    copy.parent.mkdir()
    async with Ledger.open(path, station="line-1") as ledger:
        await recognised(await begun(ledger, Secrets((1,))), 1)
        assert "1 identities" in ledger_command("backup", copy, config=config)
        await recognised(await begun(ledger, Secrets((2,))), 2)
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in copy.parent.iterdir()} == {
        "one.sqlite": 0o600,
        "one.sqlite.key": 0o600,
    }
    copy.chmod(0o400)
    copy.parent.chmod(0o500)
    units = station("units", "export", "--format", "jsonl", "--ledger", copy)
    assert [json.loads(line)["serial_number"] for line in units.stdout.splitlines()] == ["SN000001"]
    assert len(list(copy.parent.iterdir())) == 2
    copy.parent.chmod(0o700)
    assert "sound: 1 identities" in ledger_command("check", "--ledger", copy, config=config)


async def test_a_backup_is_written_over_nothing(path: Path, config: Path, tmp_path: Path) -> None:
    """An existing file or key is kept, and an unfinished backup is removed."""
    await given_out(path, [1])
    for name in ("there.sqlite", "there.sqlite.key"):
        (tmp_path / name).write_text("precious")
        assert "already exists" in ledger_command("backup", tmp_path / "there.sqlite", config=config, status=2)
        assert (tmp_path / name).read_text() == "precious"
        (tmp_path / name).unlink()
        assert not [file for file in tmp_path.iterdir() if file.name.startswith("there")]


async def test_a_backup_into_a_folder_is_named_by_the_time_and_remembered(
    path: Path, config: Path, tmp_path: Path
) -> None:
    await given_out(path, [1])
    (tmp_path / "backups").mkdir()
    assert "never backed up" in ledger_command("check", config=config)
    ledger_command("backup", tmp_path / "backups", config=config)
    (copy,) = (tmp_path / "backups").glob("ledger-*Z.sqlite")
    assert f"to {copy}" in ledger_command("check", config=config)


async def test_a_backup_put_back_opens_when_that_was_said(path: Path, config: Path, tmp_path: Path) -> None:
    """File and key are restored under their own names."""
    await given_out(path, [1])
    ledger_command("backup", tmp_path / "copy.sqlite", config=config)
    await given_out(path, [2])
    shutil.rmtree(path.parent)
    path.parent.mkdir()
    shutil.copy(tmp_path / "copy.sqlite", path)
    shutil.copy(tmp_path / "copy.sqlite.key", path.with_name("ledger.sqlite.key"))
    await refused(path, match="it is another file than the one that was there")
    ledger_command("restored", "--skip", "50", config=config)
    assert await given_out(path, [3]) == ["SN000052"]


async def test_a_state_folder_that_was_changed_in_the_configuration_is_noticed(path: Path, tmp_path: Path) -> None:
    """A second ledger of one station would begin at serial number 1."""
    await given_out(path, [1])
    with pytest.raises(LineFault, match=f"station line-1 has one at {path}"):
        async with Ledger.open(tmp_path / "other.sqlite", station="line-1", only=True):
            pass
    assert not (tmp_path / "other.sqlite").exists()


async def test_check_tells_that_a_ledger_was_moved(path: Path, config: Path) -> None:
    await given_out(path, [1])
    execute(path, "UPDATE ledger SET place = json_set(place, '$.machine', 'another')")
    assert "moved: it was on another machine" in ledger_command("check", config=config, status=1)


async def test_the_ledger_of_another_station_put_back_by_mistake_skips_all_that_was_given_out(
    path: Path, config: Path, tmp_path: Path
) -> None:
    """This holds however many numbers that ledger gave out itself, since those are of other lots."""
    lost = await identities(path, [1, 2, 3], lot="LOT-A")
    other = tmp_path / "other" / path.name
    other.parent.mkdir()
    await identities(other, range(10, 20), lot="LOT-B")
    for name in (path.name, f"{path.name}.key"):
        shutil.copyfile(other.with_name(name), path.with_name(name))
    ledger_command("restored", "--skip", "2", config=config, status=2)
    ledger_command("restored", "--skip", "3", config=config)
    (new,) = await identities(path, [4], lot="LOT-A")
    assert new.serial_number == "A000004"
    assert new.serial_number not in {each.serial_number for each in lost}


@pytest.mark.parametrize("asked", [("check",), ("restored", "--skip", "1")], ids=lambda asked: asked[0])
async def test_root_does_not_ask_for_the_daemons_account(
    path: Path, config: Path, asked: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon would still refuse a ledger that root restored, since its account has a separate register."""
    await given_out(path, [1])
    if os.geteuid() == 0:
        os.chown(path.parent, 54321, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(LedgerUnavailable, match=r"sudo -u \S+ station ledger"):
        station("ledger", *asked, "--config", config)
    assert rows(path, "SELECT incarnation FROM ledger") == [(1,)]
