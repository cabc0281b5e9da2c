# SPDX-License-Identifier: Apache-2.0
"""Recipes of lines whose boards somebody else certifies: all checks happen before the line opens."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from station.config.problems import ConfigurationInvalid
from station.recipe.files import laboratory_file, recipe_file
from station.recipe.recipe import Delivery, Recipe

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors" / "st"


def loaded(folder: Path, old: str = "[images]", new: str = "[images]") -> Recipe:
    """The shipped recipe of ST's demonstration firmware, with changes."""
    text = (ROOT / "config" / "recipes" / "st-demonstration.toml").read_text().replace('"../../', f'"{ROOT}/')
    text = text.replace('"certification-declaration.der"', f'"{ROOT}/config/recipes/certification-declaration.der"')
    assert old in text
    (folder / "recipe.toml").write_text(text.replace(old, new))
    return recipe_file.load(folder / "recipe.toml", None, None)


def test_sts_firmware_needs_neither_pki_nor_script(tmp_path: Path) -> None:
    """The shipped roots verify the certificates of ST's firmware."""
    delivery = loaded(tmp_path).certification
    assert isinstance(delivery, Delivery)
    assert (delivery.script, delivery.within, len(delivery.commissioner.trust.paas)) == (None, 120, 2)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[images]", "[attestation]\nminimum_days = 5\n[images]", "[attestation] belongs to"),
        ('"st-monitor"', '"partner-script"', "[partner] script belongs to"),
        ("[images]", '[partner]\nscript = "x.py"\n[images]', "[partner] script belongs to"),
        ("[images]", "[partner]\nwithin = 0\n[images]", "found 0, expected more than 0"),
        ('"st-monitor"', '"st-monitor"\ntrust_store = "nowhere"', "nowhere"),
        ('"st-monitor"', '"provisioning-link"\n[partner]\nwithin = 5\n[unused]', "there is no such setting"),
    ],
)
def test_a_partner_that_does_not_fit_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    """The message names the setting that does not fit."""
    with pytest.raises(ConfigurationInvalid, match=words.replace("[", r"\[")):
        loaded(tmp_path, old, new)


@pytest.mark.parametrize(
    ("trust", "answers", "refused"),
    [("production", "", True), ("production", '"identity", "proof"', False), ("development", "", False)],
)
def test_a_key_that_nobody_can_read_must_be_proven(tmp_path: Path, trust: str, answers: str, *, refused: bool) -> None:
    """Without the firmware's proof, there would be only the partner's word for the key."""
    manifest = (ROOT / "firmware_images" / "manifest.toml").read_text()
    manifest = manifest.replace('file = "', f'file = "{ROOT}/firmware_images/')
    (tmp_path / "manifest.toml").write_text(manifest.replace('"identity", "proof"', answers))
    shipped = ROOT / "config" / "recipes" / "st-demonstration.toml"
    text = shipped.read_text().replace('"../../firmware_images/', '"').replace("-flash", "-secure")
    text = text.replace('"flash"', '"secure"').replace('"development"', f'"{trust}"')
    text = text.replace('"certification-declaration.der"', f'"{shipped.parent}/certification-declaration.der"')
    (tmp_path / "recipe.toml").write_text(text)
    said = ""
    try:
        recipe_file.load(tmp_path / "recipe.toml", None, None)
    except ConfigurationInvalid as exc:
        said = str(exc)
    assert ("nothing would prove that a board has its key" in said) == refused


def laboratory(folder: Path, **changes: str) -> Path:
    given = json.loads((VECTORS / "Full_FactoryData.json").read_text()) | changes
    (folder / "data.json").write_text(json.dumps(given))
    recipe = folder / "recipe.toml"
    recipe.write_text('name = "bench"\nprocedure = "reconfigure"\n[factory_data]\njson = "data.json"\n')
    return recipe


def test_a_laboratorys_data_is_what_every_board_gets(tmp_path: Path) -> None:
    """The recipe needs no operational firmware."""
    work = laboratory_file.load(laboratory(tmp_path))
    assert (len(work.data.records), work.address, work.firmware) == (17, 0x901C0000, ())


def test_binary_will_do(tmp_path: Path) -> None:
    """Binary records or a dump are accepted; values of the JSON replace theirs."""
    laboratory(tmp_path)
    (tmp_path / "data.bin").write_bytes(laboratory_file.load(tmp_path / "recipe.toml").data_write.content)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(recipe.read_text().replace('json = "data.json"', 'binary = "data.bin"'))
    assert len(laboratory_file.load(recipe).data.records) == 17


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"SPAKE2_SETUP_PASSCODE": "34567890"}, "verifier"),
        ({"VENDOR_ID": "0xFFF2"}, "and 0xFFF2 is made"),
        ({"HARDWARE_VERSION": "65536"}, "HARDWARE_VERSION"),
    ],
)
def test_what_a_commissioner_would_refuse_is_no_recipe(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    """The line does not open, and the message contains no secret."""
    with pytest.raises(ConfigurationInvalid, match=words) as caught:
        laboratory_file.load(laboratory(tmp_path, **changes))
    assert "34567890" not in str(caught.value)


def test_a_root_that_is_not_trusted_is_no_recipe(tmp_path: Path) -> None:
    """Only the line's own trust store counts."""
    shutil.copytree(ROOT / "config" / "trust", tmp_path / "trust")
    (tmp_path / "trust" / "paa" / "Chip-Test-PAA-FFF1-Cert.der").unlink()
    recipe = laboratory(tmp_path)
    recipe.write_text('trust_store = "trust"\n' + recipe.read_text())
    with pytest.raises(ConfigurationInvalid, match="there is no PAA"):
        laboratory_file.load(recipe)


def test_a_laboratorys_mistakes_are_told_all_at_once(tmp_path: Path) -> None:
    """Factory data, trust store, images and wireless stack: each mistake has its place, and hides no other."""
    recipe = laboratory(tmp_path, HARDWARE_VERSION="65536")
    (tmp_path / "stack.bin").write_bytes(b"signed by ST")
    recipe.write_text(
        f'trust_store = "nowhere"\n{recipe.read_text()}'
        f'[images]\nmanifest = "{ROOT}/firmware_images/manifest.toml"\noperational = "operational-flahs"\n'
        f'[coprocessor]\nfile = "stack.bin"\nsha256 = "{"0" * 64}"\nversion = "1.24.0.3"\naddress = 0x08094001\n'
    )
    with pytest.raises(ConfigurationInvalid) as caught:
        laboratory_file.load(recipe)
    assert [(problem.file, problem.place) for problem in caught.value.problems] == [
        (recipe, "factory_data"),
        (recipe, "images.operational"),
        (recipe, "trust_store"),
        (recipe, "coprocessor"),
        (recipe, "coprocessor"),
    ]


def test_a_laboratorys_boards_may_get_a_wireless_stack(tmp_path: Path) -> None:
    """The `[coprocessor]` table and its checks are those of any other recipe."""
    (tmp_path / "stack.bin").write_bytes(b"signed by ST")
    table = (
        f'[coprocessor]\nfile = "stack.bin"\nsha256 = "{hashlib.sha256(b"signed by ST").hexdigest()}"\n'
        'version = "1.24.0.3"\naddress = '
    )
    recipe = laboratory(tmp_path)
    text = recipe.read_text()
    recipe.write_text(f"{text}{table}0x08094000\n")
    stack = laboratory_file.load(recipe).wireless_stack
    assert stack is not None
    assert [image.name for image in laboratory_file.load(recipe).images] == ["stack.bin"]
    recipe.write_text(f"{text}{table}0x08094001\n")
    with pytest.raises(ConfigurationInvalid, match="must begin at a page"):
        laboratory_file.load(recipe)
