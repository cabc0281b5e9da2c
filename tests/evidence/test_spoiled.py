# SPDX-License-Identifier: Apache-2.0
"""A bundle that somebody has changed: what was changed is found and named, by somebody with a key, too."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from station.evidence.form import (
    ALWAYS,
    ATTEMPTS,
    BUNDLE,
    CERTIFICATES,
    EXCEPTIONS,
    JOURNAL,
    MANIFEST,
    REQUESTS,
    SBOM,
    SIGNATURE,
    UNITS,
    pem,
)
from station.evidence.verifying import Result, Trusted, verify
from tests.builders.commands import station
from tests.builders.forge import DAC, DAC_ID, OTHER_KEY, PAA, extensions, public_key
from tests.builders.lot_evidence import dac_of, edited, key_file, members, packed, resigned
from tests.evidence.conftest import Made

Row = dict[str, object]
WRONG: tuple[object, ...] = (["\ud800"], -1)
EMPTY = "labels.ndjson"


def of(result: Result) -> list[str]:
    return [str(each) for each in result.findings]


def lied(made: Made, tmp_path: Path, **changed: Callable[[Row], Row | None]) -> list[str]:
    """What is found in the bundle after these members' lines were changed, all signed again with the station's own key."""
    contents = members(made.bundle)
    for name, change in changed.items():
        file = f"{name}.ndjson"
        contents[file] = edited(contents[file], change)
    return of(verify(resigned(tmp_path / "lie.zip", contents, made.key), Trusted()))


@pytest.mark.parametrize("name", [*(each for each in ALWAYS if each != EMPTY), MANIFEST, SIGNATURE, "paa/", "pai/"])
def test_one_changed_byte_is_named(made: Made, tmp_path: Path, name: str) -> None:
    """In each member, at its beginning, in its middle and at its end."""
    contents = members(made.bundle)
    (found,) = (each for each in contents if each.startswith(name))
    content = contents[found]
    for at in (0, len(content) // 2, len(content) - 2):
        changed = bytearray(content)
        changed[at] ^= 1
        told = of(verify(packed(tmp_path / "spoiled.zip", {**contents, found: bytes(changed)}), Trusted()))
        assert told
        assert {each.partition(":")[0] for each in told} <= {found, MANIFEST}


@pytest.mark.parametrize("name", [*ALWAYS, MANIFEST, SIGNATURE])
def test_a_removed_member_is_named(made: Made, tmp_path: Path, name: str) -> None:
    contents = members(made.bundle)
    del contents[name]
    (told,) = of(verify(packed(tmp_path / "spoiled.zip", contents), Trusted()))
    assert name in told
    assert "missing" in told


def test_a_removed_member_is_named_when_the_manifest_is_made_again(made: Made, tmp_path: Path) -> None:
    for name in ALWAYS:
        contents = members(made.bundle)
        del contents[name]
        told = of(verify(resigned(tmp_path / "spoiled.zip", contents, made.key), Trusted()))
        assert told == [f"{name}: the manifest does not list it, and every bundle has it"]


def test_an_added_member_is_named(made: Made, tmp_path: Path) -> None:
    contents = members(made.bundle)
    (told,) = of(verify(packed(tmp_path / "spoiled.zip", {**contents, "more.json": b"{}"}), Trusted()))
    assert told == "more.json: the manifest does not list it"


def test_another_signer_is_named(made: Made, tmp_path: Path) -> None:
    """Whoever pins the station's key finds it; whoever does not finds that another key has signed the chain."""
    _, other = key_file(tmp_path)
    bundle = resigned(tmp_path / "resigned.zip", members(made.bundle), other)
    whose = other.public_key().public_bytes_raw().hex()
    done = station("evidence", "verify", bundle, "--key", made.public_key)
    assert (done.exit_code, f"signed by the key {whose}, which is none of the given keys" in done.stderr) == (1, True)
    unpinned = station("evidence", "verify", bundle)
    assert (unpinned.exit_code, f"key {whose}" in unpinned.stdout) == (1, True)
    assert f"the checkpoint is signed by the key {made.public_key}, and the bundle by {whose}" in unpinned.stderr
    both = ("--key", whose, "--key", made.public_key)
    assert station("evidence", "verify", bundle, *both).exit_code == 0


def test_a_swapped_certificate_is_named(made: Made, tmp_path: Path) -> None:
    """Two units' certificates exchanged; the certificate of another key; one of another authority."""
    ten, eleven = dac_of(10), dac_of(11)
    swap = {ten.dac_serial_number: pem(eleven.dac), eleven.dac_serial_number: pem(ten.dac)}

    def swapped(row: Row) -> Row:
        return {**row, "dac": swap.get(str(row["dac_serial_number"]), row["dac"])}

    told = "\n".join(lied(made, tmp_path, certificates=swapped))
    assert f"DAC {ten.dac_serial_number} of " in told
    assert f"the certificate's own serial number is {eleven.dac_serial_number}" in told
    foreign = replace(DAC, signer=OTHER_KEY, serial_number=b"\x02\x05\x22\x00\x00\x00\x0a")

    def forged(row: Row) -> Row:
        return {**row, "dac": pem(foreign.der)} if row["dac_serial_number"] == ten.dac_serial_number else row

    told = "\n".join(lied(made, tmp_path, certificates=forged))
    assert "the certificate's own key is" in told
    assert "K3 DAC: it does not verify under the PAI's key" in told


def test_a_unit_with_a_new_key_is_named(made: Made, tmp_path: Path) -> None:
    """The certificate is good, and its row, but it is not for the key that the board has proven."""
    other = dac_of(10, ec.derive_private_key(4711, ec.SECP256R1()))

    def renewed(row: Row) -> Row:
        new = {**row, "dac": pem(other.dac), "key": other.key}
        return new if row["dac_serial_number"] == other.dac_serial_number else row

    told = lied(made, tmp_path, certificates=renewed)
    assert [each for each in told if "and its board has proven the key" in each]


LIES: Mapping[str, tuple[dict[str, Callable[[Row], Row | None]], str]] = {
    "a pass that no attempt has": (
        {"units": lambda row: {**row, "state": "passed"} if row["serial_number"] == "W0008" else row},
        "is passed, and journal.ndjson has no attempt that passed it",
    ),
    "a verdict": (
        {"attempts": lambda row: {**row, "verdict": "pass", "fault": None} if row["verdict"] == "fail" else row},
        "is not what its events in journal.ndjson add up to (fail)",
    ),
    "a serial number twice": (
        {"units": lambda row: {**row, "serial_number": "W0001"}},
        "serial number W0001 was given twice",
    ),
    "a unit away": (
        {"units": lambda row: None if row["serial_number"] == "W0003" else row},
        "the balance says identities 10, and the bundle's rows are 9",
    ),
    "a confirmation away": (
        {"journal": lambda row: None if '"Confirmed"' in str(row.get("text")) else row},
        "no event says that its board was read back and confirmed",
    ),
    "an event away": (
        {"journal": lambda row: None if '"FactoryDataWritten"' in str(row.get("text")) else row},
        "is not what its events in journal.ndjson add up to",
    ),
    "a delivery away": (
        {"journal": lambda row: None if '"CredentialsDelivered"' in str(row.get("text")) else row},
        "has no delivery of a certificate to its board",
    ),
    "an attempt away": (
        {"attempts": lambda row: None if row["attempt"] == 3 else row},
        "attempt 3 has events, and is not among the attempts",
    ),
    "a certificate away": (
        {"certificates": lambda row: None if row["dac_serial_number"] == dac_of(12).dac_serial_number else row},
        "which is not among its certificates",
    ),
    "a lost certificate away": (
        {"exceptions": lambda row: None if row["kind"] == "spare_certificate" else row},
        "the balance says dacs_orphaned 1, and the bundle's rows are 0",
    ),
    "a request away": (
        {"requests": lambda row: None if row["outcome"] is None else row},
        "the balance says answers_missing 1, and the bundle's rows are 0",
    ),
    "a failure away": (
        {"exceptions": lambda row: None if row.get("verdict") == "fail" else row},
        "2 attempts failed or were void, and attempts.ndjson has 4",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_of_somebody_with_the_key_is_found(made: Made, tmp_path: Path, lie: str) -> None:
    """Each member is signed as it is; the members contradict one another."""
    changed, told = LIES[lie]
    assert told in "\n".join(lied(made, tmp_path, **changed))


def test_a_root_of_ones_own_outweighs_the_bundles(made: Made, tmp_path: Path) -> None:
    """Neither a PAA with the same identifier and another key nor another PAA has issued the lot's PAI."""
    double = replace(PAA, key=public_key(OTHER_KEY), signer=OTHER_KEY)
    other = replace(double, extensions=extensions("30060101ff020101", "03020106", DAC_ID, DAC_ID))
    for root, said in ((double, "K3 PAI: it does not verify"), (other, "none of the given PAAs has issued it")):
        file = tmp_path / "root.der"
        file.write_bytes(root.der)
        done = station("evidence", "verify", made.bundle, "--paa", file)
        assert (done.exit_code, said in done.stderr) == (1, True), done.output


def test_what_is_no_bundle_is_refused(made: Made, tmp_path: Path) -> None:
    """One finding and exit code 1; no traceback, whatever the bytes are."""
    whole = made.bundle.read_bytes()
    contents = members(made.bundle)
    wrong = {
        "text": b"hello",
        "empty": b"",
        "half": whole[: len(whole) // 2],
        "no-object": packed(tmp_path / "a", {**contents, MANIFEST: b"[]"}).read_bytes(),
        "deep": packed(tmp_path / "b", {**contents, MANIFEST: b"[" * 100_000}).read_bytes(),
        "other": packed(tmp_path / "c", {"a": b"b"}).read_bytes(),
    }
    for name, content in wrong.items():
        file = tmp_path / f"{name}.zip"
        file.write_bytes(content)
        done = station("evidence", "verify", file)
        assert (done.exit_code, done.stderr.count("found: "), done.stdout) == (1, 1, f"{file}: not sound\n"), name


@pytest.mark.parametrize(
    "name", [BUNDLE, SBOM, UNITS, CERTIFICATES, REQUESTS, ATTEMPTS, JOURNAL, EXCEPTIONS, "audit.json"]
)
def test_rows_of_any_kind_are_refused_by_name(made: Made, tmp_path: Path, name: str) -> None:
    """Values of the wrong kind in every member, signed: a finding at that member, never a traceback."""
    contents = members(made.bundle)
    first = json.loads(contents[name].splitlines()[0])
    for key in first:
        for value in WRONG:
            spoiled = json.dumps({**first, key: value}).encode() + b"\n"
            changed = b"\n".join([spoiled.strip(), *contents[name].splitlines()[1:], b""])
            result = verify(resigned(tmp_path / "x.zip", {**contents, name: changed}, made.key), Trusted())
            assert {each.place.partition(",")[0] for each in result.findings} <= contents.keys()
