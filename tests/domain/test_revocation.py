# SPDX-License-Identifier: Apache-2.0
"""The revocation set of a trust store: read again when it changes, and used for the line's PAI and for new DACs."""

import base64
import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from station.config import shipped
from station.doctor.finding import State
from station.doctor.revocations import revocations
from station.domain.product import KeyStorage, Trust, TrustAnchors
from station.factory_data.flat_tlv import FactoryData
from station.faults.line import CredentialsInvalid, PAIRevoked, TrustUnreadable
from station.faults.unit import CertificateUnfit
from station.matter.certificates.attestation import check_authority
from station.matter.certificates.revocation import Revoked
from station.matter.certificates.x509 import Certificate
from station.recipe import checks, revocation
from station.recipe.commissioner import Commissioner
from station.recipe.files import trust_folder
from station.recipe.files.revocation_file import RevocationFile
from station.recipe.laboratory import Laboratory
from station.recipe.recipe import Delivery, OwnPKI, Recipe
from tests.builders.forge import DAC, DAC_KEY, PAA, PAA_ID, PAI, PAI_ID, Forged
from tests.builders.forge_unit import EXAMINATION, RECORDS
from tests.domain.test_recipe import CREDENTIALS, IDENTITY, PLAIN, finished

CSR = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(DAC_KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def entry(certificate: Forged, issuer_key_id: bytes) -> dict[str, object]:
    return {
        "type": "revocation_set",
        "issuer_subject_key_id": issuer_key_id.hex().upper(),
        "issuer_name": base64.b64encode(certificate.issuer).decode(),
        "revoked_serial_numbers": [f"{Certificate.read(certificate.der).serial_number:X}"],
    }


OF_PAI, OF_DAC = entry(PAI, PAA_ID), entry(DAC, PAI_ID)


def ours(*revoked: Forged) -> Recipe:
    trust = replace(
        EXAMINATION.trust, revoked=frozenset(Revoked.would_be(Certificate.read(each.der)) for each in revoked)
    )
    commissioner = Commissioner(trust, EXAMINATION.production, EXAMINATION.product)
    return replace(PLAIN, certification=OwnPKI(TrustAnchors(PAI.der, PAA.der), commissioner))


def test_a_trust_store_has_the_set_beside_its_certificates(tmp_path: Path) -> None:
    """Without the file nothing is revoked; with a bad one there is no store, since revoked certificates could pass."""
    shutil.copytree(shipped.TRUST, tmp_path / "trust")
    revoked = Revoked.would_be(Certificate.read(PAI.der))
    assert revoked not in trust_folder.load(tmp_path / "trust").revoked
    (tmp_path / "trust" / "revocation-set.json").write_text(json.dumps([OF_PAI]))
    assert revoked in trust_folder.load(tmp_path / "trust").revoked
    (tmp_path / "trust" / "revocation-set.json").write_text("[{}]")
    with pytest.raises(TrustUnreadable, match=r"revocation-set\.json: entry 1 of the revocation set lacks a field"):
        trust_folder.load(tmp_path / "trust")


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """A change under the same size and time is noticed, too, as long as the file is young; so is a file that came later."""
    path = tmp_path / "set.json"
    file = RevocationFile(path)
    pai, dac = (Revoked.would_be(Certificate.read(each.der)) for each in (PAI, DAC))
    assert (file.look(), pai in file, len(file)) == (False, False, 0)
    path.write_text(json.dumps([OF_PAI]))
    assert (file.look(), pai in file, dac in file) == (True, True, False)
    times = path.stat()
    path.write_text(json.dumps([OF_PAI]))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert file.look() is False  # the same entries
    path.write_text(json.dumps([OF_DAC]))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert (file.look(), pai in file, dac in file) == (True, False, True)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("[")])
def test_a_file_that_cannot_be_read_keeps_its_entries(tmp_path: Path, spoil: object) -> None:
    """A set that is gone is not an empty one."""
    path = tmp_path / "set.json"
    path.write_text(json.dumps([OF_PAI]))
    file = RevocationFile(path)
    assert callable(spoil)
    spoil(path)
    with pytest.raises(TrustUnreadable):
        file.look()
    assert Revoked.would_be(Certificate.read(PAI.der)) in file


def test_a_link_to_nowhere_is_no_absent_set(tmp_path: Path) -> None:
    (tmp_path / "set.json").symlink_to("nowhere")
    with pytest.raises(TrustUnreadable, match="gone"):
        RevocationFile(tmp_path / "set.json")


def test_the_lines_pai_is_looked_up() -> None:
    """A partner's PAI is unknown before there is a board; a laboratory's is in its data."""
    revocation.check_pai(ours())
    revocation.check_pai(ours(DAC))
    with pytest.raises(PAIRevoked, match="1111111111111111"):
        revocation.check_pai(ours(PAI))
    commissioner = ours(PAI).certification.commissioner
    revocation.check_pai(replace(PLAIN, certification=Delivery(None, 1.0, commissioner)))
    laboratory = Laboratory("lab", FactoryData(RECORDS), 0, (), commissioner)
    with pytest.raises(PAIRevoked):
        revocation.check_pai(laboratory)


def test_a_certificate_that_the_pki_issues_is_looked_up() -> None:
    """A revoked PAI pauses the line until somebody has another; a revoked DAC is a mistake of the PKI."""
    checks.check_credentials(ours(), CSR, CREDENTIALS, EXAMINATION.at)
    with pytest.raises(PAIRevoked):
        checks.check_credentials(ours(PAI), CSR, CREDENTIALS, EXAMINATION.at)
    with pytest.raises(CredentialsInvalid) as caught:
        checks.check_credentials(ours(DAC), CSR, CREDENTIALS, EXAMINATION.at)
    assert caught.value.rule == "K7"


def test_a_returning_board_with_a_revoked_certificate_fails_alone() -> None:
    with pytest.raises(CertificateUnfit) as caught:
        checks.check_known_certificate(ours(DAC), IDENTITY, CSR, EXAMINATION.at)
    assert caught.value.rule == "K7"


def test_a_pai_that_is_revoked_while_a_board_is_in_work_does_not_fail_the_board() -> None:
    """Its attempt is void, whoever certified it."""
    flash = finished(PLAIN)
    checks.check_commissionable(ours(), IDENTITY, flash, EXAMINATION.at)
    with pytest.raises(PAIRevoked):
        checks.check_commissionable(ours(PAI), IDENTITY, flash, EXAMINATION.at)
    delivery = Delivery(None, 1.0, ours(PAI).certification.commissioner)
    with pytest.raises(PAIRevoked):
        checks.delivered(
            replace(PLAIN, certification=delivery, key_storage=KeyStorage.FLASH), IDENTITY, flash, EXAMINATION.at
        )


def test_no_configuration_names_a_revoked_pai() -> None:
    """The mistake is told before the line opens."""
    trust, product = ours(PAI).certification.commissioner.trust, EXAMINATION.product
    with pytest.raises(CredentialsInvalid) as caught:
        check_authority(PAI.der, PAA.der, product, trust, production=False)
    assert caught.value.rule == "K7"


@pytest.mark.parametrize(
    ("age", "production", "state", "words"),
    [
        (None, False, State.GOOD, "no revocation set"),
        (None, True, State.ADVICE, "nothing would tell that the PAI is revoked"),
        (3, True, State.GOOD, "has 1 certificates and is 3 days old"),
        (31, False, State.ADVICE, "is 31 days old"),
    ],
)
def test_the_doctor_shows_the_age(
    tmp_path: Path, age: int | None, state: State, words: str, *, production: bool
) -> None:
    """An old set is advice, and so is none on a production line."""
    path, now = tmp_path / "set.json", datetime(2026, 11, 26, 12, tzinfo=UTC)
    if age is not None:
        path.write_text(json.dumps([OF_PAI]))
        then = (now - timedelta(days=age)).timestamp()
        os.utime(path, (then, then))
    trust = replace(EXAMINATION.trust, revoked=RevocationFile(path))
    recipe = replace(
        PLAIN,
        trust=Trust.PRODUCTION if production else Trust.DEVELOPMENT,
        certification=OwnPKI(TrustAnchors(PAI.der, PAA.der), Commissioner(trust)),
    )
    found = revocations(recipe, now)
    assert found.state is state
    assert words in found.text
