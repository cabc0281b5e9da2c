# SPDX-License-Identifier: Apache-2.0
"""What a trust store may take from a node's answers: nothing for which only a published key vouches."""

import json
from dataclasses import replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from station.matter.certificates.dcl_answers import Answers, Identifier, ListedCertificate
from station.matter.certificates.dcl_trust import Verified, verified
from station.matter.certificates.trust import TEST_CD_KEY_ID, TrustStore
from station.matter.certificates.x509 import Certificate
from tests.builders.dcl_stub import NEW_SIGNER, NEW_SIGNER_ID, OLD_SIGNER, Ledger, pem, revocation_list, with_ids
from tests.builders.forge import (
    DAC,
    DAC_KEY,
    ECDSA_SHA256,
    KEY_USAGE,
    PAA,
    PAA_KEY,
    PAI,
    PAI_ID,
    extension,
    sequence,
    sign,
)

ROOT = Path(__file__).parents[2]
TEST_SIGNER = (ROOT / "config" / "trust" / "cd-signers" / "chip-test-cd-signing.der").read_bytes()
TEST_SIGNER_KEY = ROOT / "tests" / "vectors" / "attestation" / "cd-signers" / "Chip-Test-CD-Signing-Key.pem"


def listed(der: bytes, *, is_root: bool) -> ListedCertificate:
    read = Certificate.read(der)
    return ListedCertificate(Identifier(read.subject.raw, read.extensions.subject_key_id), der, is_root)


def test_the_test_key_for_declarations_vouches_for_no_signer() -> None:
    """Its private key is published, and a production line refuses it by its own identifier only: a signer below it has another."""
    store = TrustStore.of({"paa": PAA.der}, {"key-001": OLD_SIGNER.der, "test": TEST_SIGNER})
    assert TEST_CD_KEY_ID in store.cd_signers
    key = load_pem_private_key(TEST_SIGNER_KEY.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    authority = Certificate.read(TEST_SIGNER)
    forged = with_ids(replace(NEW_SIGNER, signer=key, issuer=authority.subject.raw), NEW_SIGNER_ID, TEST_CD_KEY_ID)
    answers = Answers(certificates=[listed(TEST_SIGNER, is_root=True), listed(forged.der, is_root=False)])
    found = verified(answers, store)
    assert not found.signers
    assert not found.paas  # its certificate has the form of a root


def of_points(crl: bytes, **point: object) -> Verified:
    """What the ledger's revocation point with this list gives."""
    answers = Answers()
    for path, content in Ledger(crl=crl).answers().items():
        if "revocation-points" in path and b"dataURL" in content:
            answer = json.loads(content)
            answer["PkiRevocationDistributionPoint"][0].update(point)
            answers.add(path, json.dumps(answer).encode())
    answers.add("crl", crl)
    return verified(answers, TrustStore.of({"paa": PAA.der}, {"key-001": OLD_SIGNER.der}))


def test_a_list_signed_in_an_unknown_way_is_one_that_is_not_there() -> None:
    """Any vendor may publish such a list; the others' are read all the same."""
    crl = revocation_list(PAA, PAA_KEY, 0x1F)
    unknown = crl.replace(ECDSA_SHA256, ECDSA_SHA256[:-1] + b"\x7f")
    assert unknown != crl
    found = of_points(unknown)
    assert not found.revoked
    assert "no list that its signer has signed is there" in found.left_out[0]
    assert not found.has_every_list


def test_only_a_certificate_that_may_signs_a_list() -> None:
    """A DAC must not: its key is in a unit that somebody has bought."""
    signer = {"issuerSubjectKeyID": PAI_ID.hex(), "isPAA": False, "crlSignerDelegator": pem(PAI.der)}
    made = of_points(revocation_list(DAC, DAC_KEY), **signer, crlSignerCertificate=pem(DAC.der))
    assert not made.has_every_list
    assert "its signer's certificate is for other purposes than lists" in made.left_out[0]
    shapeless = DAC.with_extension(KEY_USAGE, extension(KEY_USAGE, b"", critical=True))
    assert not of_points(
        revocation_list(DAC, DAC_KEY), **signer, crlSignerCertificate=pem(shapeless.der)
    ).has_every_list
    delegate = DAC.with_extension(KEY_USAGE, extension(KEY_USAGE, bytes.fromhex("03020102"), critical=True))
    assert of_points(
        revocation_list(delegate, DAC_KEY), **signer, crlSignerCertificate=pem(delegate.der)
    ).has_every_list


def test_a_last_page_that_is_missing_takes_nothing_away() -> None:
    """Files may have been lost on the way: what the other pages lack may be in the ledger."""
    answers = Answers()
    for path, content in Ledger().answers().items():
        if "pagination.key" not in path:
            answers.add(path, content)
    found = verified(answers, TrustStore.of({"paa": PAA.der}, {"key-001": OLD_SIGNER.der}))
    assert not found.has_every_list
    assert found.left_out == ("revocation points: the last page is not among the answers",)


def test_a_negative_serial_number_is_no_certificates() -> None:
    """A library reads it, and the station has no certificate with it: rule C5."""
    signed = x509.load_der_x509_crl(revocation_list(PAA, PAA_KEY, 0x1F, 0x20)).tbs_certlist_bytes
    signed = signed.replace(b"\x02\x01\x1f", b"\x02\x01\x9f")
    (revoked,) = of_points(sequence(signed, ECDSA_SHA256, sign(signed, PAA_KEY))).revoked
    assert revoked.entry["revoked_serial_numbers"] == ["20"]
