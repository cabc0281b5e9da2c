# SPDX-License-Identifier: Apache-2.0
"""A command ends quietly if its reader goes away, as in `… | head -1`, and reports a full disk in one sentence."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from station.adapters.ledger import Ledger
from tests.builders.bench import Secrets, begun, passed
from tests.builders.forge import DAC, PAA
from tests.builders.forge_declaration import SIGNER
from tests.builders.forge_unit import flash, unit
from tests.cli.hostile import configuration, daemon, status

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FULL = ROOT / "tests" / "vectors" / "st" / "Full_FactoryData.json"

COMMANDS = [
    "--help",
    "units list --ledger ledger.sqlite",
    "units show SN000001 --ledger ledger.sqlite",
    "units show SN000001 --json --ledger ledger.sqlite",
    "units export --ledger ledger.sqlite",
    "units export --format jsonl --ledger ledger.sqlite",
    "pki orphans --ledger ledger.sqlite",
    "status --config line.toml",
    "status --json --config line.toml",
    "slots list --config line.toml",
    "watch --once --config line.toml",
    "watch --plain --config line.toml",
    "ports --devices nothing",
    "certificate show dac.der",
    "factory-data show qspi.bin",
    "factory-data show --json qspi.bin",
    "board inspect qspi.bin --paa-dir paa --cd-signers signers",
    "gen-factory-data --help",
    "gen-factory-data --provisioning 0 --json full.json",
]


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    async with Ledger.open(tmp_path / "ledger.sqlite", station="line-1") as ledger:
        await passed(await begun(ledger, Secrets()), board=1)
    files = {
        "paa/root.der": PAA.der,
        "signers/signer.der": SIGNER.der,
        "qspi.bin": flash(unit()),
        "dac.der": DAC.der,
        "full.json": FULL.read_bytes(),
        "line.toml": configuration().encode(),
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "state").mkdir()
    return tmp_path


@pytest.fixture
def desk(folder: Path) -> Iterator[Path]:
    with daemon(folder / "state" / "station.sock", status("as always")):
        yield folder


def printing_to(stdout: int, command: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "station", *command.split()],
        stdout=stdout,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_goes_away_is_no_reason_to_complain(desk: Path, command: str) -> None:
    """The command prints neither traceback nor message, and does not exit with Python's own status."""
    reading, writing = os.pipe()
    os.close(reading)
    done = printing_to(writing, command, desk)
    os.close(writing)
    assert done.stderr == b""
    assert done.returncode in {0, 1}


@pytest.mark.parametrize(
    "command",
    [
        "units list --ledger ledger.sqlite",
        "units export --ledger ledger.sqlite",
        "gen-factory-data --help",
        "gen-factory-data --version",
    ],
)
def test_a_full_disk_is_told_in_a_sentence(desk: Path, command: str) -> None:
    """The exit status is that of a faulty environment."""
    with Path("/dev/full").open("wb") as full:
        done = printing_to(full.fileno(), command, desk)
    assert done.stderr == b"[Errno 28] No space left on device\n"
    assert done.returncode == 3
