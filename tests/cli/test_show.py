# SPDX-License-Identifier: Apache-2.0
"""`station certificate show`, `csr check` and `cd show`: their output, and their refusals."""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import CertificateSigningRequestBuilder, Name
from typer.testing import Result

from tests.builders.commands import answer, station
from tests.builders.forge import (
    COMMON_NAME,
    DAC,
    DAC_KEY,
    KEY_USAGE,
    OTHER_KEY,
    PAA,
    PAI,
    Forged,
    ForgedRequest,
    extension,
    name,
)
from tests.builders.forge_declaration import SIGNER, Declaration, paas, u16

FOLDER = Path(__file__).parents[1] / "vectors" / "attestation"


def shown(tmp_path: Path, *command: str, content: bytes) -> Result:
    (tmp_path / "file").write_bytes(content)
    return station(*command, tmp_path / "file")


@pytest.mark.parametrize(("forged", "kind"), [(DAC, "dac"), (PAI, "pai"), (PAA, "paa")])
def test_a_certificate_is_shown_as_what_it_is(tmp_path: Path, forged: Forged, kind: str) -> None:
    """The basic constraints give the certificate's kind."""
    result = shown(tmp_path, "certificate", "show", content=forged.der)
    assert result.exit_code == 0
    assert f"kind                       {kind}\n" in result.stdout
    assert "serial number              1111111111111111\n" in result.stdout
    assert result.stdout.endswith(f"accepted: it keeps every rule for a {kind}\n")


def test_all_that_a_certificate_says_is_told_as_json(tmp_path: Path) -> None:
    """The names of the JSON members are fixed, for programs."""
    (tmp_path / "dac.der").write_bytes(DAC.der)
    said = answer("certificate", "show", tmp_path / "dac.der")["certificate"]
    assert isinstance(said, dict)
    wanted = {
        "kind": "dac",
        "subject": "CN=TEST DAC, VID=FFF1, PID=8004",
        "issuer": "CN=TEST PAI, VID=FFF1, PID=8004",
        "vendor_id": "0xFFF1",
        "product_id": "0x8004",
        "valid_from": "2025-01-01 00:00:00Z",
        "valid_until": "no end",
        "may": ["sign data"],
        "subject_key_id": "03" * 20,
        "authority_key_id": "02" * 20,
    }
    assert {key: said[key] for key in wanted} == wanted


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*/*.der")), ids=lambda path: path.stem[:40])
def test_every_certificate_of_the_trust_store_can_be_shown(path: Path) -> None:
    """The store has a production root that some libraries cannot read."""
    kind = "cd-signer" if path.parent.name == "cd-signers" else "paa"
    assert station("certificate", "show", path, "--kind", kind).exit_code == 0


@pytest.mark.parametrize(
    ("forged", "kind", "rule"),
    [
        (replace(DAC, subject=PAA.subject), None, "T4"),
        (replace(PAI, issuer=DAC.subject, subject=name((COMMON_NAME, "PAI"))), None, "T3"),
        (replace(DAC, serial_number=b"\x02\x00"), None, "C12"),
        (DAC.with_extension(KEY_USAGE, extension(KEY_USAGE, b"", critical=True)), None, "T2"),
        (PAA.with_extension("0603551d13", extension("0603551d13", b"\x30\x01", critical=True)), None, "T1"),
        (DAC, "paa", "T1"),
    ],
)
def test_a_certificate_that_breaks_a_rule_is_refused_by_it(
    tmp_path: Path, forged: Forged, kind: str | None, rule: str
) -> None:
    """The rules are those of its own kind, or of the kind given on the command line."""
    (tmp_path / "file").write_bytes(forged.der)
    options = ("--kind", kind) if kind else ()
    assert answer("certificate", "show", tmp_path / "file", *options)["rule"] == rule


def test_a_name_cannot_command_the_terminal(tmp_path: Path) -> None:
    """A control sequence in a certificate's name does not move the cursor."""
    forged = replace(DAC, subject=name((COMMON_NAME, "\x1b[2J Mvid:FFF1 Mpid:8004")))
    result = shown(tmp_path, "certificate", "show", content=forged.der)
    assert "\x1b" not in result.stdout
    assert r"CN=\x1b[2J" in result.stdout


def test_a_good_request_is_accepted(tmp_path: Path) -> None:
    """The output has vendor, product and the key's hash."""
    result = shown(tmp_path, "csr", "check", "--vid", "0xFFF1", "--pid", "0x8004", content=ForgedRequest().der)
    assert result.exit_code == 0
    assert "product id                 0x8004\n" in result.stdout
    assert "accepted: the PKI may see this request\n" in result.stdout


def test_a_request_in_pem_is_read(tmp_path: Path) -> None:
    """openssl writes requests in PEM."""
    request = CertificateSigningRequestBuilder(Name([])).sign(DAC_KEY, hashes.SHA256())
    content = request.public_bytes(serialization.Encoding.PEM)
    assert shown(tmp_path, "csr", "check", content=content).exit_code == 0


@pytest.mark.parametrize(
    ("content", "options", "rule"),
    [
        (ForgedRequest().der + b"\0", (), "P2"),
        (ForgedRequest(signer=OTHER_KEY).der, (), "P2"),
        (ForgedRequest().der, ("--vid", "0xFFF2"), "P3"),
        (ForgedRequest().der, ("--pid", "0x8005"), "P3"),
    ],
)
def test_a_bad_request_is_refused(tmp_path: Path, content: bytes, options: tuple[str, ...], rule: str) -> None:
    """A request is refused for its form, its signature, or the product that it names."""
    (tmp_path / "csr").write_bytes(content)
    said = answer("csr", "check", tmp_path / "csr", *options)
    assert (said["fault"], said["rule"]) == ("csr.invalid", rule)


def test_a_declaration_is_shown(tmp_path: Path) -> None:
    """Without signers the output does not claim that the signature verifies."""
    declaration = Declaration().having(u16(9, 0xFFF1), u16(10, 0x8004), paas(b"\x01" * 20))
    result = shown(tmp_path, "cd", "show", content=declaration.der)
    assert result.exit_code == 0
    assert "certificate id             ZIG20141ZB330001-24\n" in result.stdout
    assert "origin product id          0x8004\n" in result.stdout
    assert f"authorized paas            {'01' * 20}\n" in result.stdout
    assert "signature                  not verified: no --cd-signers were given\n" in result.stdout


def test_a_long_list_of_products_is_cut_for_people(tmp_path: Path) -> None:
    """The JSON has every product."""
    cd = Path(__file__).parents[2] / "config" / "recipes" / "certification-declaration.der"
    assert "0x8007 and 92 more" in station("cd", "show", cd).stdout
    said = answer("cd", "show", cd)["declaration"]
    assert isinstance(said, dict)
    assert len(said["product_ids"]) == 100


@pytest.mark.parametrize(
    ("content", "rule", "words"),
    [
        (Declaration().der, None, "verifies, by CN=TEST PAA"),
        (replace(Declaration(), signer=OTHER_KEY).der, "D5", "the signature does not verify"),
        (replace(Declaration(), key_id=b"\x80\x14" + b"\x09" * 20).der, "D5", "no known signer"),
        (Declaration().der[:-1], "D6", ""),
        (Declaration().without(3).der, "D1", ""),
    ],
)
def test_a_declaration_is_held_against_its_signers(
    tmp_path: Path, content: bytes, rule: str | None, words: str
) -> None:
    """With signers the command verifies the signature."""
    (tmp_path / "signers").mkdir()
    (tmp_path / "signers" / "signer.der").write_bytes(SIGNER.der)
    (tmp_path / "cd").write_bytes(content)
    command = ("cd", "show", tmp_path / "cd", "--cd-signers", tmp_path / "signers")
    assert answer(*command)["rule"] == rule
    assert words in station(*command).stdout


@pytest.mark.parametrize("command", [("certificate", "show"), ("csr", "check"), ("cd", "show")])
def test_a_file_that_is_not_there_is_exit_code_2(command: tuple[str, ...]) -> None:
    """The message names the missing file."""
    result = station(*command, "nowhere")
    assert result.exit_code == 2
    assert "nowhere: cannot be read" in result.stderr
