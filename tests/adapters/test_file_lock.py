# SPDX-License-Identifier: Apache-2.0
"""Locks by flock(2) of the ledger, of probes, of slots and of secret files."""

import os
from pathlib import Path

import pytest

from station.adapters.system import file_lock
from station.adapters.system.file_lock import LockHeld


def opened(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_RDWR, 0o600)


def is_closed(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return True
    return False


def test_a_lock_that_is_held_is_refused_with_its_holder_and_the_descriptor_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = file_lock.lock_file(path, opened)
    second = opened(path)
    with pytest.raises(LockHeld) as refused:
        file_lock.lock(second)
    assert refused.value.holder == f"process {os.getpid()}"
    assert is_closed(second)
    file_lock.give_back(path, first)
    assert not path.exists()


def test_a_file_that_its_holder_removes_between_opening_and_locking_is_made_anew(tmp_path: Path) -> None:
    path, made = tmp_path / "lock", []

    def removed_once(path: Path) -> int:
        made.append(opened(path))
        if len(made) == 1:
            path.unlink()
        return made[-1]

    descriptor = file_lock.lock_file(path, removed_once)
    assert os.path.samestat(os.fstat(descriptor), path.stat())
    assert len(made) == 2
    file_lock.give_back(path, descriptor)


def test_a_file_that_has_taken_the_place_of_the_locked_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    descriptor = file_lock.lock_file(path, opened)
    path.unlink()
    path.write_text("another's")
    file_lock.give_back(path, descriptor)
    assert path.read_text() == "another's"
    assert is_closed(descriptor)
