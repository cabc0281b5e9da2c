# SPDX-License-Identifier: Apache-2.0
"""`station dcl fetch` and `station trust update`: a trust store takes from the ledger what is verified and accepted, and nothing else."""

import hashlib
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from station.matter.certificates.revocation import Revoked
from station.recipe.files import trust_folder
from tests.builders.commands import station
from tests.builders.dcl_stub import (
    AUTHORITY,
    AUTHORITY_ID,
    FALSE_SIGNER,
    NEW_PAA,
    NEW_PAA_ID,
    NEW_SIGNER_ID,
    OLD_SIGNER,
    SIGNER_ID,
    Ledger,
    pem,
    revocation_list,
    serving,
)
from tests.builders.forge import OTHER_KEY, PAA, PAA_ID, PAA_KEY

PUBLISHED = Path(__file__).parents[1] / "vectors" / "attestation" / "published-paa" / "Chip-Development-PAA-Cert.der"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A trust store with a root and a signer that people have put there."""
    folder = tmp_path / "store"
    for name, der in (("paa/ours.der", PAA.der), ("cd-signers/key-001.der", OLD_SIGNER.der)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(der)
    return folder


def written(tmp_path: Path, ledger: Ledger) -> Path:
    """The node's answers in a folder."""
    folder = tmp_path / f"answers-{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    for number, content in enumerate(ledger.answers().values()):
        (folder / f"{number}.json").write_bytes(content)
    return folder


def said(*arguments: str | Path) -> dict[str, object]:
    """The JSON object of a command that has not failed."""
    result = station(*arguments, "--json")
    assert result.exit_code in {0, 1}, result.stderr
    told = json.loads(result.stdout)
    assert isinstance(told, dict)
    return told


def changes(store: Path, *options: str | Path) -> dict[str, object]:
    return said("trust", "update", store, *options)


def accepted(store: Path, *options: str | Path) -> list[str]:
    """The sentences of the changes, after they were accepted."""
    told = changes(store, *options)
    done = changes(store, *options, "--accept", str(told["digest"]))
    assert done["written"] is True
    sentences = done["changes"]
    assert isinstance(sentences, list)
    return sentences


def test_nothing_is_trusted_before_it_is_accepted(store: Path, tmp_path: Path) -> None:
    """The list names each certificate with its fingerprint, and every revocation; its digest accepts exactly that list."""
    answers = written(tmp_path, Ledger())
    before = {path: path.read_bytes() for path in store.rglob("*.*")}
    told = changes(store, answers)
    assert told["written"] is False
    sentences = told["changes"]
    assert isinstance(sentences, list)
    assert [text.split(" (")[0] for text in sentences] == [
        f"new root {NEW_PAA_ID.hex().upper()}",
        f"new signer of declarations {NEW_SIGNER_ID.hex().upper()}",
        f"revoked by {PAA_ID.hex().upper()}: 1F",
        "model FFF1/8004: Light, device type 0x0100",
    ]
    assert hashlib.sha256(NEW_PAA.der).hexdigest() in sentences[0]
    assert changes(store, answers, "--accept", "0123456789abcdef")["written"] is False
    assert {path: path.read_bytes() for path in store.rglob("*.*")} == before
    assert station("trust", "update", store, answers).exit_code == 1

    assert accepted(store, answers) == sentences
    trusted = trust_folder.load(store)
    assert set(trusted.paas) == {PAA_ID, NEW_PAA_ID}  # and not the authority for declarations
    assert set(trusted.cd_signers) == {SIGNER_ID, NEW_SIGNER_ID}
    assert Revoked(PAA.subject, PAA_ID, 0x1F) in trusted.revoked
    assert station("trust", "update", store, answers).stdout == "nothing has changed\n"


def test_a_digest_accepts_no_other_changes(store: Path, tmp_path: Path) -> None:
    """Between the look and the acceptance the ledger may change."""
    digest = str(changes(store, written(tmp_path, Ledger()))["digest"])
    later = written(tmp_path, Ledger(revoked=(0x1F, 0x20)))
    told = station("trust", "update", store, later, "--accept", digest)
    assert told.exit_code == 1
    assert f"these are not the changes of {digest}; nothing was written" in told.stdout
    assert not (store / "revocation-set.json").exists()


def test_a_digest_accepts_no_revocation_to_be_taken_back_that_was_not_listed(store: Path, tmp_path: Path) -> None:
    """Between the look and the acceptance the store may change, too: the files to be written stay the same, and the list does not."""
    answers = written(tmp_path, Ledger())
    digest = str(changes(store, answers)["digest"])
    accepted(store, written(tmp_path, Ledger(revoked=(0x1F, 0x20), roots=[PAA, AUTHORITY], signers=[OLD_SIGNER])))
    (store / "dcl-models.json").unlink()
    told = changes(store, answers, "--accept", digest)
    assert f"no longer revoked by {PAA_ID.hex().upper()}: 20" in str(told["changes"])
    assert told["written"] is False
    assert Revoked(PAA.subject, PAA_ID, 0x20) in trust_folder.load(store).revoked


def test_what_the_ledger_no_longer_has_goes(store: Path, tmp_path: Path) -> None:
    """Certificates that people put there stay, and so do all others where the answers have no list."""
    accepted(store, written(tmp_path, Ledger()))
    fewer = Ledger(roots=[AUTHORITY], signers=[OLD_SIGNER], revoked=())
    assert accepted(store, written(tmp_path, fewer)) == [
        f"root {NEW_PAA_ID.hex().upper()} is no longer in the ledger",
        f"signer of declarations {NEW_SIGNER_ID.hex().upper()} is no longer in the ledger",
        f"no longer revoked by {PAA_ID.hex().upper()}: 1F",
    ]
    trusted = trust_folder.load(store)
    assert (set(trusted.paas), set(trusted.cd_signers)) == ({PAA_ID}, {SIGNER_ID})


def test_a_list_that_is_missing_takes_no_revocation_back(store: Path, tmp_path: Path) -> None:
    """The server with the list may be down, or have another's."""
    accepted(store, written(tmp_path, Ledger()))
    for spoiled in (revocation_list(PAA, OTHER_KEY, 0x20), revocation_list(NEW_PAA, OTHER_KEY, 0x20)):
        told = changes(store, written(tmp_path, Ledger(crl=spoiled)))
        assert told["changes"] == []
        reason = "no list that its signer has signed is there"
        assert told["left_out"] == [f"revocations of {PAA_ID.hex().upper()} (TEST PAA): {reason}"]
    assert Revoked(PAA.subject, PAA_ID, 0x1F) in trust_folder.load(store).revoked


def test_a_confirmed_set_is_new_again(store: Path, tmp_path: Path) -> None:
    """The doctor's age is that of the last look at the ledger. A look without the lists is none."""
    answers = written(tmp_path, Ledger())
    accepted(store, answers)
    os.utime(store / "revocation-set.json", (1, 1))
    station("trust", "update", store, written(tmp_path, Ledger(crl=revocation_list(PAA, OTHER_KEY))))
    assert (store / "revocation-set.json").stat().st_mtime == 1
    station("trust", "update", store, answers)
    assert (store / "revocation-set.json").stat().st_mtime > 1


def test_what_is_not_verified_is_left_out_by_name(store: Path, tmp_path: Path) -> None:
    """A root whose key is published, a bad signature, another name, and a root without its certificate."""
    ledger = Ledger(signers=[OLD_SIGNER, FALSE_SIGNER])
    folder = written(tmp_path, ledger)
    for path in folder.iterdir():
        content = path.read_bytes().replace(pem(NEW_PAA.der).replace("\n", "\\n").encode(), b"PEM")
        if b"PEM" in content:
            path.write_bytes(content.replace(b"PEM", pem(PUBLISHED.read_bytes()).replace("\n", "\\n").encode()))
    told = changes(store, folder)
    assert told["left_out"] == [
        f"root {NEW_PAA_ID.hex().upper()}: the ledger lists it under another name or key identifier",
        f"signer {NEW_SIGNER_ID.hex().upper()}: its authority has not signed it",
    ]
    for path in folder.iterdir():
        if b"CERTIFICATE" in path.read_bytes() and NEW_PAA_ID.hex(":").upper().encode() in path.read_bytes():
            path.unlink()
    missing = "the ledger lists it, and its certificate is not among the answers"
    assert changes(store, folder)["left_out"] == [
        f"root {NEW_PAA_ID.hex().upper()}: {missing}",
        f"signer {NEW_SIGNER_ID.hex().upper()}: its authority has not signed it",
    ]


def test_signers_of_an_unknown_authority_are_nothing(store: Path, tmp_path: Path) -> None:
    """The store vouches for the authority: without a signer of it, the ledger's signers are not trusted, nor is it as a root missed."""
    (store / "cd-signers" / "key-001.der").write_bytes(replace(OLD_SIGNER, signer=OTHER_KEY).der)
    sentences = changes(store, written(tmp_path, Ledger()))["changes"]
    assert isinstance(sentences, list)
    assert not [text for text in sentences if "signer of declarations" in text]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "no answer of a DCL node that the station knows"),
        ('{"model": {"vid": 1}}', "no answer of a DCL node"),
        ('{"approvedRootCertificates": {"certs": [{"subject": "!"}]}}', "no answer of a DCL node"),
        ("[]", "neither JSON nor a revocation list"),
        ("-----BEGIN CERTIFICATE-----\n", "'X509 CRL' is expected"),
    ],
)
def test_a_file_that_is_no_answer_is_exit_code_2(store: Path, tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "bad.json").write_text(content)
    told = station("trust", "update", store, tmp_path / "bad.json")
    assert told.exit_code == 2
    assert words in told.stderr


def test_a_node_is_asked_over_https(store: Path, tmp_path: Path) -> None:
    """The answers can be kept, carried to a line without a network, and accepted there."""
    ledger = Ledger()
    with serving(tmp_path / "tls", ledger) as ca:
        node = ("--node", ledger.url, "--ca", ca)
        fetched = said("dcl", "fetch", *node, "--store", store, "--product", "0xFFF1/0x8004", "--to", tmp_path / "kept")
        assert fetched["roots"] == [PAA_ID.hex().upper(), NEW_PAA_ID.hex().upper()]
        assert fetched["cd_signers"] == [SIGNER_ID.hex().upper(), NEW_SIGNER_ID.hex().upper()]
        assert fetched["revoked"] == {PAA_ID.hex().upper(): 1}
        assert fetched["left_out"] == []
        over_https = changes(store, *node, "--product", "0xFFF1/0x8004")
        assert station("dcl", "fetch", "--node", ledger.url, "--store", store).exit_code == 3  # another authority's
        refused = station("dcl", "fetch", "--node", ledger.url.replace("https", "http"), "--store", store)
        assert (refused.exit_code, "https:// is expected" in refused.stderr) == (3, True)
    assert changes(store, tmp_path / "kept") == over_https
    accepted(store, tmp_path / "kept")
    assert AUTHORITY_ID not in trust_folder.load(store).paas
    assert json.loads((store / "dcl-models.json").read_text()) == {
        "FFF1/8004": {"device_type": 0x0100, "product_name": "Light"}
    }


def test_a_node_that_is_not_there_is_exit_code_3(store: Path) -> None:
    told = station("trust", "update", store, "--node", "https://127.0.0.1:1")
    assert told.exit_code == 3
    assert "https://127.0.0.1:1/dcl/pki/root-certificates" in told.stderr


def test_files_or_a_node_are_needed(store: Path) -> None:
    assert station("trust", "update", store).exit_code == 2
    assert station("dcl", "fetch", "x", "--node", "https://x").exit_code == 2


def test_the_newest_list_counts(store: Path, tmp_path: Path) -> None:
    """A node's answers and an older list may lie in one folder."""
    folder = written(tmp_path, Ledger())
    (folder / "older.crl").write_bytes(revocation_list(PAA, PAA_KEY, 0x99, at=datetime(2026, 10, 1, tzinfo=UTC)))
    sentences = accepted(store, folder)
    assert [text for text in sentences if text.startswith("revoked by")] == [f"revoked by {PAA_ID.hex().upper()}: 1F"]


def test_answers_of_the_same_name_are_both_kept(store: Path, tmp_path: Path) -> None:
    """Folders of two nodes may have files of the same names; what is kept is all that was read."""
    folder = written(tmp_path, Ledger())
    for name, number in (("a", 0x21), ("b", 0x22)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.json").write_bytes(revocation_list(PAA, PAA_KEY, number))
    said("dcl", "fetch", folder, tmp_path / "a", tmp_path / "b", "--store", store, "--to", tmp_path / "kept")
    contents = {path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    assert contents == {
        path.read_bytes() for each in (folder, tmp_path / "a", tmp_path / "b") for path in each.iterdir()
    }
