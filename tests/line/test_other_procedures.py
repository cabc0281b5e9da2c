# SPDX-License-Identifier: Apache-2.0
"""A line whose boards are not certified by its own PKI: the daemon, end to end."""

import shutil
from pathlib import Path

import pytest

from station.factory_data.flat_tlv import Tag, decode, encode
from station.factory_data.st_json import from_json
from tests.builders.station_demo import ROOT, demonstrate

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]

RECIPES = ROOT / "config" / "recipes"
FULL = ROOT / "tests" / "vectors" / "st" / "Full_FactoryData.json"
OFFSET = 0x1C0000


def shipped(folder: Path, **changes: str) -> Path:
    """The shipped recipe of ST's demonstration firmware, with changes."""
    text = (RECIPES / "st-demonstration.toml").read_text().replace('"../../', f'"{ROOT}/')
    text = text.replace('"certification-declaration.der"', f'"{RECIPES}/certification-declaration.der"')
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def test_sts_firmware_provisions_its_boards(tmp_path: Path) -> None:
    """The firmware reports finish:000; the read-back is checked, and the units are the laboratory's."""
    run = demonstrate(tmp_path, "--boards", "3", "--recipe", str(RECIPES / "st-demonstration.toml"))
    assert run.exit_status == 0, run.output
    units = [decode(image.read_bytes()) for image in run.folder.glob("boards/*/qspi.bin")]
    given = from_json(FULL.read_bytes())
    for tag in (Tag.DEVICE_ATTESTATION_CERTIFICATE, Tag.PAI_CERTIFICATE, Tag.DEVICE_ATTESTATION_PRIV_KEY):
        assert [unit.records[tag] for unit in units] == [given.records[tag]] * 3
    assert len({unit.text(Tag.SERIAL_NUMBER) for unit in units}) == 3
    assert not (run.folder / "pki" / "issued.jsonl").exists() or not run.lines("pki/issued.jsonl")


def test_firmware_that_is_silent_fails_its_boards(tmp_path: Path) -> None:
    """The firmware does not speak the protocol of the recipe's procedure."""
    changes = {'"st-demonstration-flash"': '"provisioning-flash"', "[images]": "[partner]\nwithin = 1\n\n[images]"}
    run = demonstrate(tmp_path, "--boards", "1", "--recipe", str(shipped(tmp_path, **changes)))
    assert run.exit_status == 1
    assert [board["fault"] for board in run.report["boards"]] == ["monitor.silent"]


def test_a_partners_script_provisions_a_lines_boards(tmp_path: Path) -> None:
    """The same script also runs under `gen-factory-data`."""
    script = ROOT / "tests" / "st" / "scripts" / "st_manner.py"
    changes = {'"st-monitor"': '"partner-script"', "[images]": f'[partner]\nscript = "{script}"\n\n[images]'}
    run = demonstrate(tmp_path, "--boards", "2", "--recipe", str(shipped(tmp_path, **changes)))
    assert run.exit_status == 0, run.output
    transcripts = [path.read_text() for path in run.folder.glob("transcripts/*/*.txt")]
    assert sum("waiting on" in text for text in transcripts) == 2


def test_boards_are_reconfigured(tmp_path: Path) -> None:
    """Every board gets the file's bytes; the station asks no PKI and reserves no identity."""
    shutil.copy(FULL, tmp_path)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        'name = "bench boards"\nprocedure = "reconfigure"\n[factory_data]\njson = "Full_FactoryData.json"\n'
        f'[images]\nmanifest = "{ROOT}/firmware_images/manifest.toml"\noperational = "operational-flash"\n'
    )
    run = demonstrate(tmp_path, "--boards", "3", "--recipe", str(recipe))
    assert run.exit_status == 0, run.output
    block = encode(from_json(FULL.read_bytes()))
    boards = [image.read_bytes()[OFFSET : OFFSET + len(block)] for image in run.folder.glob("boards/*/qspi.bin")]
    assert boards == [block] * 3
