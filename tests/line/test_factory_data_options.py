# SPDX-License-Identifier: Apache-2.0
"""The recipe's options for factory data, end to end: the bytes in flash, and a pass with them."""

from pathlib import Path

import pytest

from station.factory_data.flat_tlv import FactoryData, Tag, decode
from tests.builders.line import RECIPE, station_command
from tests.builders.station_demo import ROOT, demonstrate

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]


def recipe(folder: Path) -> Path:
    """The shipped recipe, with strings that end in NUL and without the passcode."""
    text = RECIPE.read_text().replace('"../../', f'"{ROOT}/')
    text = text.replace('"certification-declaration.der"', f'"{ROOT}/config/recipes/certification-declaration.der"')
    text = text.replace('strings = "plain"', 'strings = "terminated"').replace("passcode = true", "passcode = false")
    path = folder / "terminated.toml"
    path.write_text(text)
    return path


def test_units_pass_with_terminated_strings_and_without_passcode(tmp_path: Path) -> None:
    """The flash follows the recipe, and `station board inspect` accepts it."""
    run = demonstrate(tmp_path, "--boards", "2", "--recipe", str(recipe(tmp_path)))
    assert run.exit_status == 0, run.output
    images = sorted(run.folder.glob("boards/*/qspi.bin"))
    units: list[FactoryData] = [decode(image.read_bytes()) for image in images]
    assert len(units) == 2
    for unit in units:
        assert Tag.SPAKE2_SETUP_PASSCODE not in unit.records
        assert unit.records[Tag.PRODUCT_NAME] == b"STM32WB Demo App\0"
        assert unit.records[Tag.SERIAL_NUMBER].endswith(b"\0")
    assert len({unit.records[Tag.ROTATING_DEVICE_ID] for unit in units}) == 2
    paas = tmp_path / "paa"
    paas.mkdir()
    (paas / "paa.pem").write_bytes((run.folder / "pki" / "paa.pem").read_bytes())
    signers = ROOT / "tests" / "vectors" / "attestation" / "cd-signers"
    trust = ("--paa-dir", paas, "--cd-signers", signers, "--allow-test-keys", "--key-storage", "flash")
    for image in images:
        page = station_command("board", "inspect", image, *trust)
        assert page.returncode == 0, page.stdout
        assert "  strings                  end in NUL\n" in page.stdout
