# SPDX-License-Identifier: Apache-2.0
"""The fleet's key comes from the file that is named, else from systemd, and from no file that others can read."""

from pathlib import Path

import pytest

from station.adapters.ledger.fleet_key_file import fleet_key
from station.adapters.ledger.key_file import KeyUnusable

KEY = bytes(range(32))


def written(file: Path, content: bytes, mode: int = 0o600) -> Path:
    file.write_bytes(content)
    file.chmod(mode)
    return file


@pytest.mark.parametrize("content", [KEY, KEY.hex().encode(), KEY.hex().encode() + b"\n"])
def test_a_key_is_32_bytes_or_their_digits(tmp_path: Path, content: bytes) -> None:
    assert fleet_key(written(tmp_path / "fleet.key", content), {}).key == KEY


def test_systemd_hands_a_key_over(tmp_path: Path) -> None:
    """In a folder that only the service sees, with a mode of systemd's own."""
    written(tmp_path / "fleet-key", KEY, 0o440)
    assert fleet_key(None, {"CREDENTIALS_DIRECTORY": str(tmp_path)}).key == KEY


def test_a_named_file_goes_before_systemds(tmp_path: Path) -> None:
    written(tmp_path / "fleet-key", bytes(32))
    named = written(tmp_path / "named", KEY)
    assert fleet_key(named, {"CREDENTIALS_DIRECTORY": str(tmp_path)}).key == KEY


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [(KEY, 0o640, "others can read the fleet key: chmod 600"), (b"x" * 33, 0o600, "it holds no fleet key")],
)
def test_another_file_is_no_key(tmp_path: Path, content: bytes, mode: int, told: str) -> None:
    with pytest.raises(KeyUnusable, match=told) as refused:
        fleet_key(written(tmp_path / "fleet.key", content, mode), {})
    assert content.hex() not in str(refused.value)


def test_without_any_the_message_says_where_one_may_be(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="fleet_key, or have systemd"):
        fleet_key(None, {})
    with pytest.raises(KeyUnusable, match="cannot be read: No such file"):
        fleet_key(tmp_path / "absent", {})
