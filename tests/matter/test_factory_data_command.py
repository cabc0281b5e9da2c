# SPDX-License-Identifier: Apache-2.0
"""`station factory-data`: its files, its output, and its messages."""

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from station.cli.judge.factory_data import app

ST = Path(__file__).parents[1] / "vectors" / "st"
FULL = ST / "Full_FactoryData.json"
SECRETS = ("20202021", "820a242a", "b96170aa", "5350414b")  # passcode, private key, verifier, salt


def station(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def block(tmp_path: Path) -> Path:
    """ST's full sample, built."""
    assert station("build", FULL, "-o", tmp_path / "full.bin").exit_code == 0
    return tmp_path / "full.bin"


def test_build_writes_what_the_tool_of_st_writes(block: Path) -> None:
    """The file equals ST's, and only its owner can read it."""
    expected = (ST / "expected.sha256").read_text().split()[0]
    assert hashlib.sha256(block.read_bytes()).hexdigest() == expected
    assert block.stat().st_mode & 0o777 == 0o600


def test_build_tells_every_mistake_and_writes_nothing(tmp_path: Path) -> None:
    """Each message has file, line, column and name; the exit code is 2."""
    source = tmp_path / "in.json"
    source.write_text('{"VENDOR_ID": 1,\n "VENDOR": "A"}')
    result = station("build", source, "-o", tmp_path / "out.bin")
    assert result.exit_code == 2
    assert f"{source}: line 1, column 2, VENDOR_ID: a number in quotes" in result.stderr
    assert f"{source}: line 2, column 2, VENDOR: unknown name" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["in.json"]


def test_a_failed_build_leaves_the_old_file(tmp_path: Path) -> None:
    """The command replaces the output by a rename, never by a partial write."""
    source, output = tmp_path / "in.json", tmp_path / "out.bin"
    source.write_text("{")
    output.write_bytes(b"old")
    assert station("build", source, "-o", output).exit_code == 2
    assert output.read_bytes() == b"old"


def test_lenient_passes_over_unknown_names_and_says_so(tmp_path: Path) -> None:
    """ST's tool ignores unknown names, too."""
    source, output = tmp_path / "in.json", tmp_path / "out.bin"
    source.write_text('{"VENDOR": "A", "PRODUCT_NAME": "B"}')
    assert station("build", source, "-o", output).exit_code == 2
    result = station("build", source, "-o", output, "--lenient")
    assert result.exit_code == 0
    assert "VENDOR: unknown name" in result.stderr
    assert output.read_bytes().hex() == "1700000001000000" + "42" + "acacacac"


def test_what_matter_does_not_allow_is_built_and_told(tmp_path: Path) -> None:
    """The container allows more than a commissioner; the command warns."""
    source = tmp_path / "in.json"
    source.write_text('{"MANUFACTURING_DATE": "yesterday"}')
    result = station("build", source, "-o", tmp_path / "out.bin")
    assert result.exit_code == 0
    assert "MANUFACTURING_DATE: it does not begin with YYYYMMDD" in result.stderr


def test_an_output_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The message has the file's name and the reason; the exit code is 1."""
    result = station("build", FULL, "-o", tmp_path / "nowhere" / "out.bin")
    assert result.exit_code == 1
    assert "nowhere/out.bin: cannot be written: No such file" in result.stderr


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """No temporary file is left either."""
    folder = tmp_path / "folder"
    folder.mkdir()
    assert station("build", FULL, "-o", folder).exit_code == 1
    assert list(tmp_path.rglob("*")) == [folder]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_show_hides_secrets(block: Path, options: tuple[str, ...]) -> None:
    """By default the output can be shown to anybody."""
    result = station("show", block, *options)
    assert result.exit_code == 0
    assert "STMicroelectronics" in result.stdout
    assert "<Passcode>" in result.stdout
    assert not [secret for secret in SECRETS if secret in result.stdout.replace('", "0x', "")]


def test_show_reveals_secrets_when_asked(block: Path) -> None:
    """`--reveal` shows them to anybody who may read the file."""
    shown = station("show", block, "--reveal").stdout
    assert [secret for secret in SECRETS if secret in shown] == list(SECRETS)


def test_what_show_prints_as_json_builds_the_same_block(block: Path, tmp_path: Path) -> None:
    """So a board's flash image can be an input again."""
    again, output = tmp_path / "again.json", tmp_path / "again.bin"
    again.write_text(station("show", block, "--json", "--reveal").stdout)
    assert station("build", again, "-o", output).exit_code == 0
    assert output.read_bytes() == block.read_bytes()


def test_show_reads_a_dump_of_the_whole_flash(block: Path, tmp_path: Path) -> None:
    """Programmer and virtual bench write such dumps."""
    dump = tmp_path / "qspi.bin"
    dump.write_bytes(b"\xff" * 0x1C0000 + block.read_bytes().ljust(0x40000, b"\xff"))
    assert json.loads(station("show", dump, "--json").stdout)["SERIAL_NUMBER"] == "TEST_SN"


def test_show_says_what_is_wrong_with_a_file(block: Path) -> None:
    """The message has file and offset; the exit code is 1."""
    block.write_bytes(block.read_bytes()[:-4])
    result = station("show", block)
    assert result.exit_code == 1
    assert f"{block}: offset 0x776: the end mark 0xACACACAC is missing" in result.stderr


@pytest.mark.parametrize("arguments", [("show", "nowhere"), ("build", "nowhere", "-o", "x"), ("build", str(FULL))])
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    """A file is missing, or an option."""
    assert station(*arguments).exit_code == 2
