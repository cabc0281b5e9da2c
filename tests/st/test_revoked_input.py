# SPDX-License-Identifier: Apache-2.0
"""`gen-factory-data` uses the revocation set of its trust store before it writes anything."""

import base64
import json
import shutil
from pathlib import Path

import pytest
from cryptography import x509

from station.config import shipped
from station.factory_data import st_json
from station.factory_data.flat_tlv import Tag
from tests.builders.commands import station

INPUT = Path(__file__).parents[1] / "vectors" / "st" / "Full_FactoryData.json"


@pytest.mark.parametrize("tag", [Tag.PAI_CERTIFICATE, Tag.DEVICE_ATTESTATION_CERTIFICATE])
def test_a_revoked_input_is_refused(tmp_path: Path, tag: Tag) -> None:
    """The same input is good while the set has other certificates only."""
    shutil.copy(INPUT, tmp_path / "in.json")
    shutil.copytree(shipped.TRUST, tmp_path / "trust")
    certificate = x509.load_der_x509_certificate(st_json.from_json(INPUT.read_bytes()).records[tag])
    issuer = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert issuer is not None
    entry = {
        "type": "revocation_set",
        "issuer_subject_key_id": issuer.hex().upper(),
        "issuer_name": base64.b64encode(certificate.issuer.public_bytes()).decode(),
    }
    for number, exit_code in ((certificate.serial_number ^ 1, 0), (certificate.serial_number, 2)):
        revoked = [entry | {"revoked_serial_numbers": [f"{number:X}"]}]
        (tmp_path / "trust" / "revocation-set.json").write_text(json.dumps(revoked))
        given = ("--provisioning", "0", "--json", tmp_path / "in.json", "--trust", tmp_path / "trust")
        done = station("gen-factory-data", *given)
        assert (done.exit_code, "is revoked" in done.output) == (exit_code, exit_code == 2), done.output
