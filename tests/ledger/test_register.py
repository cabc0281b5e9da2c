# SPDX-License-Identifier: Apache-2.0
"""The folder of a machine's register: the same at every start, whatever becomes of the folders."""

import os
import shutil
from pathlib import Path

import pytest

from station.adapters.ledger import durable, register
from station.adapters.ledger.register import Mark, Record, Register, Witness, folder_for
from station.faults.line import LedgerUnavailable


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A replacement for /var/lib, which this account may not write to."""
    folder = tmp_path / "var" / "lib"
    folder.mkdir(parents=True)
    mine = os.access
    monkeypatch.setattr(register, "_OF_THE_MACHINE", folder)
    monkeypatch.setattr(os, "access", lambda path, mode: path != folder and mine(path, mode))
    return folder


def test_a_folder_that_the_account_is_given_later_does_not_make_it_forget(machine: Path, tmp_path: Path) -> None:
    """An administrator makes the machine's folder later, which lacks the records in the account's own folder."""
    environment = {"HOME": str(tmp_path)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path))
        own = register.default_folder(environment)
        assert own.is_relative_to(tmp_path / ".local")
        (own / "ledgers").mkdir(parents=True)
        (machine / "matter-station").mkdir()
        assert register.default_folder(environment) == own


def test_a_folder_that_the_account_has_from_the_start_is_the_machines(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (machine / "matter-station").mkdir()
    assert register.default_folder({}) == machine / "matter-station"


def test_an_account_without_a_home_has_the_machines(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that runs under a numeric user id has no home."""

    def homeless(_: type[Path]) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", classmethod(homeless))
    assert register.default_folder({}) == machine / "matter-station"


def test_the_first_record_has_its_name_on_the_disk_before_anything_is_given_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut, a ledger on another disk would otherwise be unknown. Later records may be a step behind."""
    settled: list[list[str]] = []
    monkeypatch.setattr(durable, "settle", lambda folder: settled.append([file.name for file in folder.iterdir()]))
    witness = Witness.begun(Register(tmp_path), Record("1f", "line-1", "/ledger.sqlite", Mark(1, 1, 0, 0)))
    assert settled == [["1f.json"]]
    witness.see(Mark(1, 2, 1, 0))
    assert len(settled) == 1


def test_a_ledger_in_the_machines_folder_is_remembered_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service's state folder may have the station's name: restoring it would restore the register, too."""
    monkeypatch.setattr(register, "_OF_THE_MACHINE", tmp_path / "lib")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    state = tmp_path / "lib" / "matter-station"
    state.mkdir(parents=True)
    assert folder_for(tmp_path / "other" / "ledger.sqlite", None) == state
    assert folder_for(state / "ledger.sqlite", None) == tmp_path / "home" / ".local" / "state" / "matter-station"
    monkeypatch.setenv("HOME", str(state))
    with pytest.raises(LedgerUnavailable, match=r"\[station\] witness"):
        folder_for(state / "ledger.sqlite", None)


def test_a_folder_that_has_gone_is_made_again(tmp_path: Path) -> None:
    """Somebody has cleared it while the daemon ran: the next record is written all the same."""
    record = Record("1" * 32, "line-1", "/ledger.sqlite", Mark(1, 1, 0, 0))
    witness = Witness.begun(Register(tmp_path / "records"), record)
    shutil.rmtree(tmp_path / "records")
    witness.see(Mark(1, 2, 1, 0))
    assert Register(tmp_path / "records").of(record.ledger) == Record(
        record.ledger, "line-1", "/ledger.sqlite", Mark(1, 2, 1, 0)
    )
