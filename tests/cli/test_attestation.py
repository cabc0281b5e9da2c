# SPDX-License-Identifier: Apache-2.0
"""`station attestation check`: the upstream vectors, one unit, and its messages for unusable input."""

import base64
import json
from pathlib import Path

import pytest

from station.matter.certificates.rules import Rule
from tests.builders.commands import answer, station
from tests.builders.forge import DAC, PAA, PAI
from tests.builders.forge_declaration import SIGNER, Declaration

FOLDER = Path(__file__).parents[1] / "vectors" / "attestation"
VECTORS = FOLDER / "commissioner_vectors.json"
MADE = (
    "--vid",
    "0xFFF1",
    "--device-type",
    "0x1234",
    "--certificate-id",
    "ZIG20141ZB330001-24",
    "--version-number",
    "0x9876",
)
UPSTREAM = (*MADE, "--paa-dir", FOLDER / "paa", "--cd-signers", FOLDER / "cd-signers")


def judged(*options: str | Path) -> dict[str, dict[str, object]]:
    result = station("attestation", "check", "--vectors", VECTORS, *UPSTREAM, "--json", *options)
    assert result.exit_code == 1  # some are refused
    said = json.loads(result.stdout)
    assert list(said) == ["schema", "vectors"]
    verdicts: dict[str, dict[str, object]] = said["vectors"]
    return verdicts


def test_every_vector_gets_the_strict_verdict() -> None:
    """Each refusal names its fault and its rule."""
    verdicts, vectors = judged("--allow-test-keys"), json.loads(VECTORS.read_text())
    assert {name: verdict["accept"] for name, verdict in verdicts.items()} == {
        name: vector["strict_accept"] for name, vector in vectors.items()
    }
    refused = [verdict for verdict in verdicts.values() if not verdict["accept"]]
    assert {verdict["fault"] for verdict in refused} == {"pki.credentials_invalid", "cd.invalid"}
    assert all(verdict["rule"] in Rule.__members__ and verdict["text"] for verdict in refused)


def test_a_production_line_refuses_every_vector() -> None:
    """Test keys are refused by default and allowed by an option."""
    assert [verdict["accept"] for verdict in judged("--production").values()] == [False] * 80
    assert judged() == judged("--production")


def test_vectors_for_people() -> None:
    """The output for people has one line per vector and a total."""
    result = station("attestation", "check", "--vectors", VECTORS, *UPSTREAM, "--allow-test-keys")
    lines = result.stdout.splitlines()
    assert len(lines) == 81
    assert lines[-1] == "80 vectors: 23 accepted, 57 refused"


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The files of one good unit: DER under neutral names."""
    (tmp_path / "paa").mkdir()
    (tmp_path / "signers").mkdir()
    for name, content in {
        "dac": DAC.der,
        "pai": PAI.der,
        "cd": Declaration().der,
        "paa/root.der": PAA.der,
        "signers/signer.der": SIGNER.der,
    }.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def question(unit: Path, **changed: str | Path) -> list[str | Path]:
    options: dict[str, str | Path] = {
        "dac": unit / "dac",
        "pai": unit / "pai",
        "cd": unit / "cd",
        "paa_dir": unit / "paa",
        "cd_signers": unit / "signers",
        "vid": "0xFFF1",
        "pid": "32772",
        "at": "2026-11-22T12:00:00",
        **changed,
    }
    words = [(f"--{name.replace('_', '-')}", value) for name, value in options.items() if value]
    return ["attestation", "check", *(word for pair in words for word in pair), "--allow-test-keys"]


def test_a_good_unit_is_accepted(unit: Path) -> None:
    """The verdict is one line, or JSON with four members and its schema."""
    assert station(*question(unit)).stdout == "accepted: a commissioner accepts this attestation\n"
    assert answer(*question(unit)) == {
        "schema": 1,
        "accept": True,
        "fault": None,
        "rule": None,
        "text": "a commissioner accepts this attestation",
    }


def test_a_refused_unit_is_told_with_fault_rule_and_reason(unit: Path) -> None:
    """Both the JSON and the text have fault, rule and reason."""
    said = answer(*question(unit, pid="0x8005"))
    assert (said["accept"], said["fault"], said["rule"]) == (False, "cd.invalid", "D8")
    assert station(*question(unit, pid="0x8005")).stdout == f"refused: cd.invalid: {said['text']}\n"


def test_pem_is_told_by_its_content(unit: Path) -> None:
    """DAC, PAI, declaration and PAA may each be PEM or DER, whatever their names."""
    for name, label in (("dac", "CERTIFICATE"), ("pai", "CERTIFICATE"), ("cd", "CMS"), ("paa/root.der", "CERTIFICATE")):
        body = base64.encodebytes((unit / name).read_bytes()).decode()
        (unit / name).write_text(f"-----BEGIN {label}-----\n{body}-----END {label}-----\n")
    assert station(*question(unit)).exit_code == 0


def test_the_moment_matters(unit: Path) -> None:
    """A DAC that becomes valid tomorrow is refused today."""
    assert answer(*question(unit, at="2024-12-31T23:59:59Z"))["rule"] == "K6"
    assert station(*question(unit, at="2025-01-01T00:00:00+00:00")).exit_code == 0


def test_a_revoked_dac_is_refused(unit: Path) -> None:
    """The revocation set has the format of the CHIP SDK's tools."""
    entry = {
        "type": "revocation_set",
        "issuer_subject_key_id": (b"\x02" * 20).hex().upper(),
        "issuer_name": base64.b64encode(DAC.issuer).decode(),
        "revoked_serial_numbers": ["1111111111111111"],
    }
    (unit / "revoked.json").write_text(json.dumps([entry]))
    assert answer(*question(unit, revocation_set=unit / "revoked.json"))["rule"] == "K7"
    (unit / "revoked.json").rename(unit / "revocation-set.json")
    assert answer(*question(unit))["rule"] == "K7"  # as a recipe's trust store has it
    (unit / "none.json").write_text("[]")
    assert station(*question(unit, revocation_set=unit / "none.json")).exit_code == 0


def test_the_set_of_a_store_counts_however_its_roots_are_named(unit: Path, tmp_path: Path) -> None:
    """The roots may be a link to a folder elsewhere; a line reads the set beside the link. A set that has gone is not none."""
    entry = {
        "type": "revocation_set",
        "issuer_subject_key_id": (b"\x02" * 20).hex().upper(),
        "issuer_name": base64.b64encode(DAC.issuer).decode(),
        "revoked_serial_numbers": ["1111111111111111"],
    }
    store = tmp_path / "store"
    store.mkdir()
    (store / "paa").symlink_to(unit / "paa")
    (store / "revocation-set.json").write_text(json.dumps([entry]))
    assert answer(*question(unit, paa_dir=store / "paa"))["rule"] == "K7"
    assert answer(*question(unit, paa_dir=store / "paa" / ".." / "paa"))["rule"] == "K7"
    (store / "revocation-set.json").rename(unit / "revocation-set.json")
    assert answer(*question(unit, paa_dir=store / "paa"))["rule"] == "K7"
    (unit / "revocation-set.json").unlink()
    (store / "revocation-set.json").symlink_to(tmp_path / "gone.json")
    result = station(*question(unit, paa_dir=store / "paa"))
    assert (result.exit_code, f"{store / 'revocation-set.json'}: cannot be read" in result.stderr) == (2, True)


def test_a_file_of_the_store_that_cannot_be_read_is_named_and_left_out(unit: Path) -> None:
    """The other files of the store still count."""
    (unit / "paa" / "broken.pem").write_text("nonsense")
    result = station(*question(unit))
    assert result.exit_code == 0
    assert f"left out of the trust store: {unit / 'paa' / 'broken.pem'}: C12" in result.stderr


def spoiled_by(unit: Path, name: str, content: str) -> Path:
    (unit / name).write_text(content)
    return unit / name


@pytest.mark.parametrize(
    ("changed", "name", "content", "words"),
    [
        ("dac", "none", None, "none: cannot be read: No such file or directory. Check"),
        ("dac", "paa", None, "paa: cannot be read: Is a directory. Check"),
        ("pai", "pai", "-----BEGIN X-----", "pai: line 1: PEM with 'X'; 'CERTIFICATE' is expected. DER, or PEM"),
        ("paa_dir", "none", None, "none: cannot be read: No such file or directory. A folder of"),
        ("paa_dir", "empty", None, "empty: no certificate in this folder can be used. Put"),
        ("revocation_set", "revoked", "[1]", "revoked: entry 1 of the revocation set lacks a field. Fetch"),
    ],
)
def test_a_file_that_cannot_be_used_is_exit_code_2(
    unit: Path, changed: str, name: str, content: str | None, words: str
) -> None:
    """The message has the file, the place and the remedy."""
    (unit / "empty").mkdir()
    if content is not None:
        spoiled_by(unit, name, content)
    result = station(*question(unit, **{changed: unit / name}))
    assert result.exit_code == 2
    assert f"{unit}/{words}" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not JSON"),
        ("[]", "an object of vectors by name is expected"),
        ('{"a": {}}', "a: a field is missing"),
        (
            '{"a": {"dac_cert": "3", "pai_cert": "", "certification_declaration": "", "basic_info_pid": 1}}',
            "a: not hexadec",
        ),
    ],
)
def test_bad_vectors_are_exit_code_2(tmp_path: Path, content: str, words: str) -> None:
    """The message names the bad vector."""
    path = spoiled_by(tmp_path, "vectors.json", content)
    result = station("attestation", "check", "--vectors", path, *UPSTREAM)
    assert result.exit_code == 2
    assert f"{path}: {words}" in result.stderr


@pytest.mark.parametrize("changed", ["dac", "pai", "cd", "vid", "pid"])
def test_what_is_missing_is_wrong_usage(unit: Path, changed: str) -> None:
    """The command assumes no default for a missing option."""
    assert station(*question(unit, **{changed: ""})).exit_code == 2


@pytest.mark.parametrize(
    "changed", [{"vid": "FFF1h"}, {"vid": "0x10000"}, {"at": "yesterday"}, {"vectors": str(VECTORS)}]
)
def test_a_question_that_makes_no_sense_is_wrong_usage(unit: Path, changed: dict[str, str]) -> None:
    """A malformed number, a vendor id beyond 16 bits, or a unit beside vectors is refused."""
    assert station(*question(unit, **changed)).exit_code == 2
