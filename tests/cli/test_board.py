# SPDX-License-Identifier: Apache-2.0
"""`station board inspect`: the page about one board's flash, and its refusals."""

import json
from pathlib import Path

import pytest
from typer.testing import Result

from station.factory_data import flat_tlv
from station.factory_data.flat_tlv import FactoryData, Tag
from tests.builders.commands import station
from tests.builders.forge import PAA
from tests.builders.forge_declaration import SIGNER
from tests.builders.forge_unit import RECORDS, flash, unit

CHECKS = [
    "records",
    "device information",
    "product",
    "DAC, PAI and PAA",
    "certification declaration",
    "public key",
    "private key",
    "SPAKE2+ verifier",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The trust store, and the flash of a good board."""
    for name, content in {"paa/root.der": PAA.der, "signers/signer.der": SIGNER.der, "qspi.bin": flash(unit())}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def inspect(folder: Path, *options: str | Path, data: FactoryData | None = None) -> Result:
    if data is not None:
        (folder / "qspi.bin").write_bytes(flash(data))
    trust = ("--paa-dir", folder / "paa", "--cd-signers", folder / "signers", "--at", "2026-11-22T12:00Z")
    return station("board", "inspect", folder / "qspi.bin", *trust, "--allow-test-keys", *options)


def test_the_page_of_a_good_board(folder: Path) -> None:
    """The page has the board's identity, its certificates, every check, and the verdict as its last line."""
    result = inspect(folder)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    for line in (
        "Unit",
        "  serial number            LT2600000001",
        "  product                  Lamp (0x8004)",
        "  passcode                 in flash, not shown",
        "  strings                  without NUL, as ST's tool writes them",
        "Product attestation authority (PAA): signed the PAI, from the trust store",
        "  certificate id           ZIG20141ZB330001-24",
        "Checks",
    ):
        assert line in lines
    assert [line[11:].split("  ")[0] for line in lines if line.startswith("  ok ")] == CHECKS
    assert lines[-1] == "accepted: a commissioner accepts this unit"


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_the_page_shows_no_secret(folder: Path, options: tuple[str, ...]) -> None:
    """The page has neither passcode nor key, so it may be shown to anybody."""
    said = inspect(folder, *options).stdout
    secrets = [RECORDS[tag] for tag in flat_tlv.SECRET if tag in RECORDS]
    assert len(secrets) == 5
    assert not [secret for secret in secrets if secret.hex() in said.lower() or secret.decode("latin-1") in said]
    assert "20202021" not in said


def test_the_page_as_json(folder: Path) -> None:
    """The JSON has a verdict like that of other commands, the facts by section, and each check."""
    said = json.loads(inspect(folder, "--json").stdout)
    assert (said["accept"], said["fault"], said["rule"]) == (True, None, None)
    assert said["unit"]["discriminator"] == 3840
    assert said["dac"]["serial_number"] == "1111111111111111"
    assert [check["subject"] for check in said["checks"]] == CHECKS
    assert all(check["accept"] and check["judged"] for check in said["checks"])


@pytest.mark.parametrize(
    "name",
    [
        "CERTIFICATION_DECLARATION",
        "DEVICE_ATTESTATION_CERTIFICATE",
        "PAI_CERTIFICATE",
        "DEVICE_ATTESTATION_PRIV_KEY",
        "DEVICE_ATTESTATION_PUB_KEY",
        "SPAKE2_VERIFIER",
    ],
)
def test_one_changed_byte_in_the_image_is_exit_code_1(folder: Path, name: str) -> None:
    """This test changes the last byte of each record; tests/matter changes every byte."""
    image = bytearray((folder / "qspi.bin").read_bytes())
    image[image.index(RECORDS[Tag[name]]) + len(RECORDS[Tag[name]]) - 1] ^= 1
    (folder / "qspi.bin").write_bytes(image)
    result = inspect(folder)
    assert result.exit_code == 1
    assert "  REFUSED  " in result.stdout
    assert result.stdout.splitlines()[-1].startswith("refused: ")


def test_what_is_wrong_is_told_with_its_rule(folder: Path) -> None:
    """The page names the rule; a check that cannot be made is shown as open, never as good."""
    result = inspect(folder, data=unit(PAI_CERTIFICATE=b"\x30\x00"))
    assert "  REFUSED  DAC, PAI and PAA           PAI: " in result.stdout
    assert "  open     certification declaration  " in result.stdout
    assert "  unreadable               rule C12: " in result.stdout
    assert result.stdout.splitlines()[-1] == "refused: 1 of 8 checks"
    said = json.loads(inspect(folder, "--json").stdout)
    assert (said["accept"], said["fault"], said["rule"]) == (False, "pki.credentials_invalid", "C12")


@pytest.mark.parametrize("tag", Tag, ids=lambda tag: tag.name)
def test_a_board_that_lacks_a_record_gets_its_page(folder: Path, tag: Tag) -> None:
    """The page shows every record that the board has."""
    result = inspect(folder, data=unit(**{tag.name: None}))
    assert result.stdout.splitlines()[0] == "Unit"
    assert result.stdout.splitlines()[-1].startswith(("accepted: ", "refused: "))


def test_a_root_that_is_not_trusted_is_told(folder: Path) -> None:
    """A PAA that came with the board is never trusted."""
    (folder / "paa" / "root.der").write_bytes(
        (Path(__file__).parents[1] / "vectors/attestation/paa/Chip-Test-PAA-NoVID-Cert.der").read_bytes()
    )
    result = inspect(folder)
    assert result.exit_code == 1
    assert "not in the trust store" in result.stdout


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        (("--vid", "0xFFF2"), "product"),
        (("--pid", "0x8005"), "product"),
        (("--device-type", "0x0100"), "certification declaration"),
        (("--key-storage", "secure"), "private key"),
        (("--production",), "DAC, PAI and PAA"),
    ],
)
def test_the_board_is_held_against_what_was_asked(folder: Path, options: tuple[str, ...], subject: str) -> None:
    """The options set the product, the declaration, the key's place, and whether test keys are allowed."""
    result = inspect(folder, *options)
    assert result.exit_code == 1
    assert any(line.startswith(f"  REFUSED  {subject}") for line in result.stdout.splitlines())


@pytest.mark.parametrize(("digits", "exit_code"), [("20202021", 0), ("20202022", 1)])
def test_a_label_is_held_against_a_board_without_passcode(folder: Path, digits: str, exit_code: int) -> None:
    """The command recomputes the verifier with the salt and the iterations in flash."""
    (folder / "passcode").write_text(digits)
    result = inspect(folder, "--passcode-file", folder / "passcode", data=unit(SPAKE2_SETUP_PASSCODE=None))
    assert result.exit_code == exit_code
    assert digits not in result.output


def test_an_erased_board_is_refused_with_the_place(folder: Path) -> None:
    """The image is readable, but holds no factory data."""
    (folder / "qspi.bin").write_bytes(b"\xff" * 0x200000)
    result = inspect(folder)
    assert result.exit_code == 1
    assert "refused: factory_data.invalid" in result.stdout
    assert "place offset 0x1C0000" in result.stdout


def test_an_image_that_is_not_there_is_exit_code_2(folder: Path) -> None:
    """The message names the missing image."""
    (folder / "qspi.bin").unlink()
    result = inspect(folder)
    assert result.exit_code == 2
    assert f"{folder}/qspi.bin: cannot be read: No such file or directory. Check" in result.stderr
