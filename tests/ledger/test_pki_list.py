# SPDX-License-Identifier: Apache-2.0
"""A PKI's own list of certificates, as people hand it to `station pki reconcile`: what is no whole list is refused."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from station.cli.ledger import pki_list
from station.cli.ledger.pki_list import ListInvalid
from station.domain.credentials import key_name
from station.domain.issuance import Listed

KEY = "ab" * 32
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, serial_number: int) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "any")])
    begins, ends = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
    unsigned = x509.CertificateBuilder(name, name, key.public_key(), serial_number, begins, ends)
    return unsigned.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


OURS = pem(EC_KEY, 0xC0)


def read(folder: Path, text: str) -> list[Listed]:
    path = folder / "list"
    path.write_text(text)
    return pki_list.read(path)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([{"serial_number": "0c:0a", "key_sha256": KEY}]),
        json.dumps({"serial_number": "0xC0A", "key": KEY.upper()}) + "\n",
        f"serial_number,key_sha256\r\nC0A,{KEY}\r\n",
    ],
    ids=["JSON", "JSON lines", "CSV"],
)
def test_the_forms_of_a_list(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == [Listed(0xC0A, KEY)]


@pytest.mark.parametrize("text", ["[]", "serial_number,key_sha256\n"])
def test_a_list_may_say_that_nothing_was_issued(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == []


def test_a_pkis_other_certificates_are_those_of_keys_that_nobody_knows(tmp_path: Path) -> None:
    """Its own list has those of its servers and authorities, too."""
    listed = read(tmp_path, pem(rsa.generate_private_key(65537, 2048), 7) + OURS)
    assert [entry.serial_number for entry in listed] == [7, 0xC0]
    assert listed[1].key == key_name(EC_KEY.public_key())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("null", "is not a list"),
        ("404 page not found\n", "is not a list"),
        ("[", "is not a list"),
        ('{"certificates": []}', "were expected"),
        (OURS + OURS[:200], "cut off"),
        (json.dumps([{"serial_number": "-5", "key": KEY}]), "not hexadecimal"),
        (json.dumps([{"serial_number": "1_0", "key": KEY}]), "not hexadecimal"),
        (json.dumps([{"serial_number": "F" * 100_000, "key": KEY}]), "not hexadecimal"),
        (json.dumps([{"serial_number": 12, "key": KEY}]), "were expected"),
    ],
)
def test_what_is_no_whole_list_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """An empty list would say that no lost answer has bought a certificate."""
    with pytest.raises(ListInvalid, match=words) as refused:
        read(tmp_path, text)
    assert len(str(refused.value)) < 400
