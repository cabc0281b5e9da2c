"""Keys in secure storage, on the line: the private key is nowhere but there."""

import json
from pathlib import Path

import pytest

from tests.line.station_demo import demonstrate
from tests.line.test_lock import recipe

pytestmark = [pytest.mark.line, pytest.mark.timeout(120)]

BOARDS = 4


def secure_recipe(folder: Path) -> Path:
    """The shipped recipe with the images that keep the key in secure storage."""
    path = recipe(folder, "")
    text = path.read_text()
    for old, new in (
        ('key_storage = "flash"', 'key_storage = "secure"'),
        ('"provisioning-flash"', '"provisioning-secure"'),
        ('"operational-stand-in"', '"operational-stand-in-secure"'),
    ):
        assert old in text, old
        text = text.replace(old, new)
    path.write_text(text)
    return path


def test_no_eight_bytes_of_a_private_key_are_outside_secure_storage(tmp_path: Path) -> None:
    """Not in flash, ledger, logs, transcripts or PKI, as bytes or as hexadecimal digits."""
    run = demonstrate(tmp_path, "--boards", str(BOARDS), "--recipe", str(secure_recipe(tmp_path)))
    assert run.exit_status == 0, run.output
    stored = [json.loads(path.read_text()) for path in run.folder.glob("boards/*/secure_storage.json")]
    keys = [bytes.fromhex(entry["private_key"]) for entries in stored for entry in entries]
    assert len(set(keys)) == BOARDS
    searched = [path for path in run.folder.rglob("*") if path.is_file() and path.name != "secure_storage.json"]
    assert {"qspi.bin", "internal.bin", "ledger.sqlite", "bench.jsonl"} <= {path.name for path in searched}
    for path in searched:
        content = path.read_bytes()
        for part in (key[at : at + 8] for key in keys for at in range(25)):
            assert part not in content, path
            assert part.hex().encode() not in content, path
            assert part.hex().upper().encode() not in content, path


def test_a_key_that_nobody_knows_fails_its_board(tmp_path: Path) -> None:
    """It can be neither used nor replaced; the board beside it passes."""
    faults = tmp_path / "faults.toml"
    faults.write_text(
        '[[fault]]\nboard = 1\nat = "recognise"\nwhat = "secure_storage_written"\n'
        'expect = { verdict = "fail", fault = "board.refused" }\n'
    )
    run = demonstrate(tmp_path, "--boards", "2", "--recipe", str(secure_recipe(tmp_path)), "--faults", str(faults))
    assert run.exit_status == 0, run.output
