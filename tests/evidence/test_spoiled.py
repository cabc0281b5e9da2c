# SPDX-License-Identifier: Apache-2.0
"""A bundle that somebody has changed: what was changed is found and named, by somebody with a key, too."""

import json
import shutil
import zipfile
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
    canonical,
    pem,
)
from station.evidence.layout import LARGE
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
    "a recipe": (
        {"attempts": lambda row: {**row, "recipe_sha256": "0" * 64}},
        "it is not row 2 of attempt that the chain has",
    ),
    "a date": (
        {"units": lambda row: {**row, "manufacturing_date": "20200101"}},
        "it is not row 2 of identity that the chain has",
    ),
    "the row of another": (
        {"units": lambda row: {**row, "identity": 3}},
        "row 3 of identity is there twice",
    ),
    "a decision away": (
        {"exceptions": lambda row: None if row["kind"] == "unit" else row},
        "1 of the chain's rows of unit_event are not here, or are told otherwise",
    ),
    "a decision of another": (
        {"exceptions": lambda row: {**row, "account": "anna"} if row.get("type") == "LotClosed" else row},
        "1 of the chain's rows of lot_event are not here, or are told otherwise",
    ),
    "another fault": (
        {"exceptions": lambda row: {**row, "fault": "probe.lost"} if row["kind"] == "attempt" else row},
        "is not so in attempts.ndjson",
    ),
    "no scrap": (
        {"units": lambda row: {**row, "disposition": None}},
        "is said to be None, and exceptions.ndjson has UnitScrapped last",
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


HEADS: Mapping[str, tuple[Row, str]] = {
    "recipes": ({"recipes": []}, "its recipes are not those of the attempts"),
    "images": ({"images": []}, "its images are not those of the attempts"),
    "work order": ({"record": {"work_order": "WO-2"}}, "its work order is not the one that the chain has of the lot"),
}


@pytest.mark.parametrize("what", HEADS)
def test_what_a_bundle_says_in_front_is_what_its_rows_are(made: Made, tmp_path: Path, what: str) -> None:
    changed, told = HEADS[what]
    contents = members(made.bundle)
    head = canonical({**json.loads(contents[BUNDLE]), **changed})
    assert told in "\n".join(of(verify(resigned(tmp_path / "x.zip", {**contents, BUNDLE: head}, made.key), Trusted())))


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:-1] + b',"lot":"W2"}',
        lambda content: content[:-1] + b',"more":NaN}',
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.decode().encode("utf-16"),
    ],
    ids=["a name twice", "no value", "a mark of UTF-8", "UTF-16"],
)
def test_json_that_two_readers_read_differently_is_refused(
    made: Made, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    contents = members(made.bundle)
    head = change(contents[BUNDLE].strip())
    (told,) = of(verify(resigned(tmp_path / "x.zip", {**contents, BUNDLE: head}, made.key), Trusted()))
    assert told == "bundle.json: it is no JSON"


def test_a_certificate_of_no_characters_is_a_finding(made: Made, tmp_path: Path) -> None:
    assert "DAC: " in "\n".join(lied(made, tmp_path, certificates=lambda row: {**row, "dac": "\ud800"}))


def commented(file: Path) -> None:
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = b"more"


def packed_as(method: int, mode: int) -> Callable[[Path], None]:
    def pack(file: Path) -> None:
        contents = members(file)
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in contents.items():
                entry = zipfile.ZipInfo(name)
                entry.external_attr = mode << 16
                archive.writestr(entry, content, method)

    return pack


def renamed(file: Path) -> None:
    """The first member's size stands before it, and is another than in the list."""
    content = bytearray(file.read_bytes())
    content[18:22] = b"\0\0\0\1"
    file.write_bytes(content)


def with_much(file: Path) -> None:
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("more", bytes(LARGE))


ZIPS: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "before": (lambda file: file.write_bytes(b"#!/bin/sh\n" + file.read_bytes()), "bytes that belong to no member"),
    "behind": (lambda file: file.write_bytes(file.read_bytes() + b"more"), "bytes that belong to no member"),
    "comment": (commented, "bytes that belong to no member"),
    "links": (packed_as(zipfile.ZIP_STORED, 0o120777), "it is no file"),
    "bzip2": (packed_as(zipfile.ZIP_BZIP2, 0o100644), "is not what the file's list of members says"),
    "two sizes": (renamed, "is not what the file's list of members says"),
    "bomb": (with_much, "times as large as the file"),
}


@pytest.mark.parametrize("trick", ZIPS)
def test_a_zip_that_another_tool_reads_otherwise_is_refused(made: Made, tmp_path: Path, trick: str) -> None:
    file = tmp_path / "trick.zip"
    shutil.copy(made.bundle, file)
    change, told = ZIPS[trick]
    change(file)
    (found,) = of(verify(file, Trusted()))
    assert told in found


def test_a_bundle_that_was_packed_again_is_the_same(made: Made, tmp_path: Path) -> None:
    file = tmp_path / "again.zip"
    shutil.copy(made.bundle, file)
    packed_as(zipfile.ZIP_DEFLATED, 0o100644)(file)
    assert of(verify(file, Trusted())) == []


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
