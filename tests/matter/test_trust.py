# SPDX-License-Identifier: Apache-2.0
"""Trust stores and revocation sets, made from all kinds of files."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.faults.line import TrustUnreadable
from station.matter.certificates.published_roots import publisher
from station.matter.certificates.revocation import Revoked, read_revocation_set
from station.matter.certificates.trust import TEST_CD_KEY_ID, TrustStore
from station.matter.certificates.x509 import Certificate
from tests.builders.forge import DAC, PAA, PAI, PAI_ID, PAI_NAME

FOLDER = Path(__file__).parents[1] / "vectors" / "attestation"


def files(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (FOLDER / folder).iterdir()}


def pem(data: bytes) -> bytes:
    lines = base64.encodebytes(data).decode()
    return f"-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n".encode()


BROKEN_PEM = b"-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n"


def test_the_real_folders_load() -> None:
    """They have the NXP root, PEM beside DER, and a private key, which is left out by name."""
    store = TrustStore.of(files("paa"), files("cd-signers"))
    assert (len(store.paas), len(store.cd_signers)) == (3, 6)
    assert TEST_CD_KEY_ID in store.cd_signers
    assert sum(publisher(paa) is not None for paa in store.paas.values()) == 2
    assert [line.split(":")[0] for line in store.unreadable] == ["Chip-Test-CD-Signing-Key.pem"]


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\xff" * 700, PAI.der, DAC.der, PAA.der + b"\0", pem(PAA.der) * 2, BROKEN_PEM]
)
def test_one_unreadable_file_never_takes_the_store_down(content: bytes) -> None:
    """The store names the unreadable file and has all others."""
    store = TrustStore.of({"good": PAA.der, "other": content}, {})
    assert len(store.paas) == 1
    assert [line.split(":")[0] for line in store.unreadable] == ["other"]


def test_a_second_certificate_for_one_key_id_is_left_out() -> None:
    """The first by name stays, and the store names the other."""
    second = replace(PAA, serial_number=b"\x02\x01\x01")
    store = TrustStore.of({"a": PAA.der, "b": second.der, "c": pem(PAA.der)}, {})
    assert [certificate.der for certificate in store.paas.values()] == [PAA.der]
    assert [line.split(":")[0] for line in store.unreadable] == ["b"]


@pytest.mark.parametrize("content", [PAA.der, pem(PAA.der), b"text before\n" + pem(PAA.der), pem(PAA.der).strip()])
def test_der_and_pem_are_told_apart_by_content(content: bytes) -> None:
    """The names of the files do not matter."""
    store = TrustStore.of({"paa": content}, {})
    assert [certificate.der for certificate in store.paas.values()] == [PAA.der]


ENTRY = {
    "type": "revocation_set",
    "issuer_subject_key_id": PAI_ID.hex().upper(),
    "issuer_name": base64.b64encode(PAI_NAME).decode(),
    "revoked_serial_numbers": ["1111111111111111", "0AB042494323FE54"],
    "crl_signer_cert": "MIIB",
}


def test_a_revocation_set_names_certificates() -> None:
    """The set has issuers and keys in the form that certificates have them."""
    revoked = read_revocation_set(json.dumps([ENTRY]).encode())
    assert Revoked.would_be(Certificate.read(DAC.der)) in revoked
    assert len(revoked) == 2


def test_the_issuers_name_may_be_written_otherwise() -> None:
    """An authority may write its name in strings of another type; another key is another authority's."""
    other = ENTRY | {"issuer_name": base64.b64encode(PAA.subject).decode()}
    named = Revoked.would_be(Certificate.read(DAC.der))
    assert named in read_revocation_set(json.dumps([other]).encode())
    assert replace(named, issuer_key_id=bytes(20)) not in read_revocation_set(json.dumps([other]).encode())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"{}",
        b"[1]",
        b"[{}]",
        b"[" * 100_000,
        json.dumps([ENTRY | {"type": "other"}]).encode(),
        json.dumps([ENTRY | {"issuer_name": "*"}]).encode(),
        json.dumps([ENTRY | {"issuer_subject_key_id": "x"}]).encode(),
        json.dumps([ENTRY | {"issuer_subject_key_id": PAI_ID.hex()[2:]}]).encode(),
        json.dumps([ENTRY | {"issuer_subject_key_id": ""}]).encode(),
        json.dumps([ENTRY | {"revoked_serial_numbers": ["x"]}]).encode(),
        json.dumps([ENTRY | {"revoked_serial_numbers": ["-1A"]}]).encode(),
        json.dumps([ENTRY | {"revoked_serial_numbers": [11]}]).encode(),
        json.dumps([ENTRY | {"revoked_serial_numbers": "x"}]).encode(),
    ],
    ids=lambda content: repr(content[:30]),
)
def test_a_revocation_set_that_cannot_be_read_is_refused(content: bytes) -> None:
    """A partial set would accept revoked certificates."""
    with pytest.raises(TrustUnreadable):
        read_revocation_set(content)


@settings(max_examples=100, derandomize=True)
@given(st.binary(max_size=300), st.integers(0, 450))
def test_any_file_is_read_or_named(patch: bytes, at: int) -> None:
    """No content of a file raises an error."""
    store = TrustStore.of({"file": PAA.der[:at] + patch + PAA.der[at + len(patch) :]}, {"file": patch})
    assert len(store.paas) + len(store.unreadable) == 2
