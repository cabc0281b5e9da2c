# SPDX-License-Identifier: Apache-2.0
"""What a trust store may take from a node's answers: nothing for which only a published key vouches."""

from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from station.matter.certificates.dcl_answers import Answers, Identifier, ListedCertificate
from station.matter.certificates.dcl_trust import verified
from station.matter.certificates.trust import TEST_CD_KEY_ID, TrustStore
from station.matter.certificates.x509 import Certificate
from tests.builders.dcl_stub import NEW_SIGNER, NEW_SIGNER_ID, OLD_SIGNER, with_ids
from tests.builders.forge import PAA

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
