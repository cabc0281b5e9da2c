# SPDX-License-Identifier: Apache-2.0
"""A file that people edit is replaced whole or not at all, and stays the file that it was."""

import os
import stat
from pathlib import Path

import pytest

from station.config.edited_file import check_replaceable, replace


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "line.toml"
    path.write_bytes(b"old")
    return path


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_the_mode_stays(file: Path, mode: int) -> None:
    """Whatever the umask is: an account that could read the file still can, and no other."""
    file.chmod(mode)
    replace(file, b"new")
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"new", mode)
    assert [path.name for path in file.parent.iterdir()] == ["line.toml"]


@pytest.fixture
def _as_another_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """New files are not the account's that has the old one."""
    fstat = os.fstat

    def of_another(descriptor: int) -> os.stat_result:
        real = tuple(fstat(descriptor))
        return os.stat_result((*real[:4], real[4] + 1, real[5], *real[6:]))

    monkeypatch.setattr(os, "fstat", of_another)


@pytest.mark.usefixtures("_as_another_account")
def test_the_owner_stays(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root gives the new file to the account that has the old one."""
    given = list[tuple[int, int]]()
    monkeypatch.setattr(os, "fchown", lambda _descriptor, *owner: given.append(owner))
    replace(file, b"new")
    assert given == [(file.stat().st_uid, file.stat().st_gid)]
    assert file.read_bytes() == b"new"


def test_a_link_stays_and_its_target_is_replaced(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "etc" / "line.toml"
    link.parent.mkdir()
    link.symlink_to("../line.toml")
    replace(link, b"new")
    assert link.is_symlink()
    assert file.read_bytes() == b"new"
    assert [path.name for path in link.parent.iterdir()] == ["line.toml"]


@pytest.mark.parametrize("failing", ["fsync", "utime"])
def test_a_failure_leaves_the_file_as_it_was(file: Path, failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk shows at the latest when the content is synchronised."""

    def fail(*_: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="No space left"):
        replace(file, b"new")
    assert file.read_bytes() == b"old"
    assert [path.name for path in file.parent.iterdir()] == ["line.toml"]


def test_a_file_that_may_be_replaced_stays_untouched_by_the_check(file: Path) -> None:
    before = file.stat()
    check_replaceable(file)
    after = file.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [path.name for path in file.parent.iterdir()] == ["line.toml"]


def test_a_file_that_this_account_may_not_write_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    with pytest.raises(PermissionError, match="this account may not write the file"):
        check_replaceable(file)


@pytest.mark.usefixtures("_as_another_account")
def test_another_accounts_file_is_told_with_the_remedy(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could be written in its place, but would then be this account's."""

    def fail(*_: object, **_options: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", fail)
    with pytest.raises(PermissionError, match="another account's: run this as root"):
        check_replaceable(file)
