# SPDX-License-Identifier: Apache-2.0
"""The bench's folders of devices in memory: there while a bench serves, and gone afterwards, however it ended."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from virtual_bench.server import devices
from virtual_bench.server.devices import NAMES, shown


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shm"
    folder.mkdir()
    monkeypatch.setattr(devices, "IN_MEMORY", folder)
    return folder


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    folder = tmp_path / "bench"
    folder.mkdir()
    return folder


def killed(bench: Path, memory: Path) -> Path:
    """What a bench leaves that was killed with SIGKILL: links, and a folder that nobody holds."""
    place = memory / "bench-killed"
    for name in NAMES:
        (place / name / "serial").mkdir(parents=True)
        (bench / name).symlink_to(place / name)
    return place


def test_the_folders_are_in_memory_and_gone_afterwards(bench: Path, memory: Path) -> None:
    """Other accounts may look, as into the system's."""
    with shown(bench):
        (place,) = memory.iterdir()
        assert [(bench / name).resolve() for name in NAMES] == [(place / name).resolve() for name in NAMES]
        assert place.stat().st_mode & 0o777 == 0o755
        (bench / "dev" / "serial").mkdir()
    assert not list(memory.iterdir())
    assert not list(bench.iterdir())


def test_what_a_killed_bench_has_left_goes_with_the_next(bench: Path, memory: Path, tmp_path: Path) -> None:
    """Also that of a directory which nobody will serve again."""
    place = killed(bench, memory)
    with shown(tmp_path):
        assert not place.exists()
    with shown(bench):  # whose links lead nowhere now, as after the computer has started anew
        assert not list((bench / "dev").iterdir())
    assert not list(bench.iterdir())


def test_a_bench_that_serves_keeps_its_folders(bench: Path, memory: Path, tmp_path: Path) -> None:
    with shown(bench):
        before = sorted(memory.iterdir())
        with shown(tmp_path):
            assert all(place.exists() for place in before)
        assert sorted(memory.iterdir()) == before


def test_a_link_is_removed_and_not_what_it_leads_to(bench: Path, memory: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    (mine / "file").mkdir(parents=True)
    (bench / "dev").symlink_to(mine)
    (bench / "sys").symlink_to(memory / "bench-x" / "..")
    with shown(bench):
        pass
    assert (mine / "file").exists()
    assert memory.exists()


def test_without_memory_the_folders_are_the_hubs(bench: Path, memory: Path) -> None:
    shutil.rmtree(memory)
    with shown(bench):
        (bench / "dev").mkdir()
    assert not list(bench.iterdir())


def test_an_error_before_the_bench_serves_leaves_nothing(bench: Path, memory: Path) -> None:
    (bench / "sys").write_text("in the way")
    with pytest.raises(FileExistsError), shown(bench):
        pass
    assert not list(memory.iterdir())


def test_a_folder_of_another_program_stays(bench: Path, memory: Path) -> None:
    """It has the prefix, and is held."""
    other = memory / "bench-other"
    other.mkdir()
    held = os.open(other, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with shown(bench):
        assert other.exists()
    os.close(held)
