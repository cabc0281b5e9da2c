# SPDX-License-Identifier: Apache-2.0
"""Secrets are in files that only this user can read, in memory, and no longer than needed."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from station.adapters.system import secret_files
from station.adapters.system.secret_files import SHARED_MEMORY, SecretFiles
from station.faults.line import ResourcesExhausted, SecretFilesUnavailable
from tests.builders.disks import filled, small_disk
from tests.builders.scarcity import descriptors_left

ROOT = Path(__file__).parents[2]
STATION = f"test-{os.getpid()}"

# Opens the place of this station, leaves a secret there, and is killed.
CRASH = """
import os, signal, sys
from pathlib import Path
from station.adapters.system.secret_files import SecretFiles
with SecretFiles.opened(sys.argv[1], {}) as files, files.folder() as folder:
    folder.written("a.bin", b"secret")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def places() -> list[Path]:
    """The folders in memory of this test's station."""
    return list(SHARED_MEMORY.glob(f"*{STATION}*"))


def test_a_secret_is_readable_for_this_user_alone() -> None:
    """This holds for the file, its folder, and the folder above."""
    with SecretFiles.opened(STATION, {}) as files, files.folder() as folder:
        path = folder.written("a.bin", b"secret")
        assert path.read_bytes() == b"secret"
        assert path.is_relative_to(SHARED_MEMORY)
        assert (mode(path), mode(path.parent), mode(path.parents[1])) == (0o600, 0o700, 0o700)


def test_no_two_runs_share_a_folder() -> None:
    """A folder's name cannot be guessed."""
    with SecretFiles.opened(STATION, {}) as files:
        names = set()
        for _ in range(100):
            with files.folder() as folder:
                names.add(folder.path("a.bin").parent.name)
    assert len(names) == 100
    assert {len(name) for name in names} == {16}


def test_a_file_is_never_written_over() -> None:
    """A link in the file's place is not followed."""
    with SecretFiles.opened(STATION, {}) as files, files.folder() as folder:
        folder.written("a.bin", b"first")
        with pytest.raises(FileExistsError):
            folder.written("a.bin", b"second")


def test_a_folder_is_deleted_with_all_that_stands_in_it() -> None:
    """The tool's own files are deleted, too, also after a failed run."""
    with SecretFiles.opened(STATION, {}) as files:
        with pytest.raises(KeyError), files.folder() as folder:
            folder.written("a.bin", b"secret")
            folder.path("b.bin").write_bytes(b"read back")
            raise KeyError
        (place,) = places()
        assert list(place.iterdir()) == []
    assert places() == []


def test_what_a_crash_left_is_swept_at_the_next_start() -> None:
    """A killed daemon cannot delete its files."""
    crashed = subprocess.run([sys.executable, "-c", CRASH, STATION], cwd=ROOT, check=False)
    assert crashed.returncode == -9
    (left,) = places()
    assert [path.read_bytes() for path in left.rglob("*.bin")] == [b"secret"]
    with SecretFiles.opened(STATION, {}):
        (place,) = places()
        assert place != left
        assert list(place.iterdir()) == []
    assert places() == []


def test_a_folder_that_another_start_has_swept_at_the_same_moment_is_no_trouble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Several daemons of one name start at once on a machine that tests them."""
    with SecretFiles.opened(STATION, {}) as files, files.folder() as folder:
        place = folder.path("a.bin").parents[1]
    place.mkdir(mode=0o700)  # as a crash leaves it
    held = secret_files._hold  # noqa: SLF001  the moment in between

    def slower(folder: Path) -> int:
        if folder == place:
            folder.rmdir()
        return held(folder)

    monkeypatch.setattr(secret_files, "_hold", slower)
    with SecretFiles.opened(STATION, {}):
        assert len(places()) == 1


def test_a_station_that_lives_is_not_swept() -> None:
    """A second station of the same name gets another folder."""
    with SecretFiles.opened(STATION, {}) as files, files.folder() as folder:
        path = folder.written("a.bin", b"secret")
        with SecretFiles.opened(STATION, {}):
            assert len(places()) == 2
        assert path.read_bytes() == b"secret"


def test_the_place_of_another_station_is_left_alone() -> None:
    """Sweeping compares the station's whole name."""
    with SecretFiles.opened(f"{STATION}-2", {}) as files, files.folder() as folder:
        path = folder.written("a.bin", b"secret")
        for name in (STATION, f"{STATION}*", f"{STATION}?2", f"{STATION}/2"):
            with SecretFiles.opened(name, {}):
                assert path.read_bytes() == b"secret"


@pytest.mark.parametrize("name", ["line 1", "../line", "Straße", "[a-z]*"])
def test_any_name_of_a_station_will_do(name: str, tmp_path: Path) -> None:
    """The name becomes one component of a path."""
    with SecretFiles.opened(name, {"RUNTIME_DIRECTORY": str(tmp_path)}, in_memory=False) as files, files.folder():
        (place,) = tmp_path.iterdir()
        assert place.name.startswith(f"station-{os.geteuid()}-")


def test_the_service_s_own_folder_comes_first(tmp_path: Path) -> None:
    """systemd may name several folders; the first counts."""
    environment = {"RUNTIME_DIRECTORY": f"{tmp_path}:/nonexistent", "XDG_RUNTIME_DIR": str(SHARED_MEMORY)}
    with SecretFiles.opened(STATION, environment, in_memory=False) as files, files.folder() as folder:
        assert folder.path("b.bin").is_relative_to(tmp_path)


def test_the_user_s_folder_is_taken_if_it_is_in_memory(tmp_path: Path) -> None:
    """Otherwise the machine's folder in memory is taken."""
    inside = SHARED_MEMORY / f"user-{STATION}"
    inside.mkdir()
    try:
        with SecretFiles.opened(STATION, {"XDG_RUNTIME_DIR": str(inside)}) as files, files.folder() as folder:
            assert folder.path("b.bin").is_relative_to(inside)
    finally:
        inside.rmdir()
    for other in (tmp_path, Path("/nonexistent")):
        with SecretFiles.opened(STATION, {"XDG_RUNTIME_DIR": str(other)}) as files, files.folder() as folder:
            assert folder.path("b.bin").is_relative_to(SHARED_MEMORY)


@pytest.mark.parametrize("place", ["/proc", "/nonexistent"])
def test_a_place_that_is_not_in_memory_is_refused(place: str) -> None:
    """A secret deleted from a disk can still be recovered."""
    with (
        pytest.raises(SecretFilesUnavailable, match="not in memory"),
        SecretFiles.opened(STATION, {"RUNTIME_DIRECTORY": place}),
    ):
        pytest.fail("it was opened")


def test_a_full_place_is_said_and_left_empty(tmp_path: Path) -> None:
    """The run's folder is deleted with the bytes already written."""
    with (
        small_disk(tmp_path / "memory", "1m") as disk,
        SecretFiles.opened(STATION, {"RUNTIME_DIRECTORY": str(disk)}) as files,
    ):
        files.check(1 << 16)
        filler = filled(disk)
        with (
            pytest.raises(SecretFilesUnavailable, match=rf"place {disk}.*No space left on device"),
            files.folder() as folder,
        ):
            folder.written("a.bin", bytes(1 << 16))
        with pytest.raises(SecretFilesUnavailable, match="No space left"):
            files.check(1 << 16)
        filler.unlink()
        files.check(1 << 16)
        (root,) = disk.iterdir()
        assert list(root.iterdir()) == []


def test_a_secret_file_for_which_no_descriptor_is_left_says_so() -> None:
    """The fault does not blame the folder."""
    with SecretFiles.opened(STATION, {}) as files, files.folder() as folder:
        with descriptors_left(0), pytest.raises(ResourcesExhausted, match="Too many open files"):
            folder.written("a.bin", b"secret")
        folder.written("a.bin", b"secret")


def test_a_place_where_nothing_can_be_made_is_refused() -> None:
    """The message has the operating system's reason."""
    with (
        pytest.raises(SecretFilesUnavailable, match="No such file"),
        SecretFiles.opened(STATION, {"RUNTIME_DIRECTORY": "/nonexistent"}, in_memory=False),
    ):
        pytest.fail("it was opened")


def test_a_folder_goes_with_whatever_is_in_it() -> None:
    """A tool may make files of its own accord, make none of those that it was told, or make a folder of one."""
    with SecretFiles.opened(STATION, {}) as files:
        (root,) = places()
        with files.folder() as folder:
            made = folder.written("data.bin", b"secret")
            folder.path("never-made.bin")
            (made.parent / "a.log").write_bytes(b"secret")
            folder.path("folder").mkdir()
        assert not list(root.iterdir())
        with files.folder() as folder:
            folder.written("data.bin", b"secret")
        assert not list(root.iterdir())
