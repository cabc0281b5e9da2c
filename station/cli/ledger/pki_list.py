# SPDX-License-Identifier: Apache-2.0
"""Reads a PKI's own list of certificates: JSON, JSON lines or CSV with serial numbers and keys, or the certificates in PEM."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from station.adapters.pki import answers
from station.adapters.pki.ber import BERInvalid
from station.domain.issuance import Listed

SERIAL_NUMBER, KEYS, CERTIFICATE = "serial_number", ("key_sha256", "key"), "certificate"
_KEY = re.compile(r"[0-9a-f]{64}")
_SERIAL_NUMBER = re.compile(r"(?:0x)?([0-9a-f]{1,64})")
_BEGIN = "-----BEGIN CERTIFICATE-----"


class ListInvalid(Exception):
    """The file is no list that can be used; the text names the place and what was expected."""


def read(path: Path) -> list[Listed]:
    """Every certificate in the list, in its order; raises `ListInvalid` or `OSError`."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ListInvalid(f"{path}: is not UTF-8") from exc
    if not text.strip():
        raise ListInvalid(f"{path}: is empty; the list of a PKI that has issued nothing is []")
    if _BEGIN in text and not text.lstrip().startswith(("[", "{")):
        return [_of_certificate(each) for each in _loaded(str(path), text)]
    return [_entry(row, f"{path}, {place}") for place, row in _rows(path, text)]


def _rows(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    start = text.lstrip()[:1]
    try:
        if start == "[":
            for number, row in enumerate(json.loads(text), 1):
                yield f"entry {number}", row
        elif start == "{":
            for number, line in enumerate(text.splitlines(), 1):
                if line.strip():
                    yield f"line {number}", json.loads(line)
        else:
            reader = csv.DictReader(io.StringIO(text))
            if not {SERIAL_NUMBER, CERTIFICATE} & {*(reader.fieldnames or ())}:
                raise ListInvalid(f"{path}: is not a list: JSON, or CSV with a column {SERIAL_NUMBER}, was expected")
            for row in reader:
                yield f"line {reader.line_num}", row
    except (ValueError, csv.Error, RecursionError) as exc:
        raise ListInvalid(f"{path}: is not a list: {exc}") from exc


def _entry(row: object, place: str) -> Listed:
    if not isinstance(row, Mapping):
        raise ListInvalid(f"{place}: an object with {SERIAL_NUMBER} and {KEYS[0]} was expected")
    if isinstance(pem := row.get(CERTIFICATE), str) and pem:
        return _of_certificate(_loaded(place, pem)[0])
    serial, key = row.get(SERIAL_NUMBER), next((row[name] for name in KEYS if row.get(name)), None)
    if not isinstance(serial, str) or not isinstance(key, str):
        raise ListInvalid(f"{place}: {SERIAL_NUMBER} and {KEYS[0]}, or {CERTIFICATE} in PEM, were expected")
    key = re.sub(r"[:\s]", "", key).lower()
    if not _KEY.fullmatch(key):
        raise ListInvalid(
            f"{place}: {KEYS[0]} is the SHA-256 of the public key (SubjectPublicKeyInfo), 64 hexadecimal digits"
        )
    found = _SERIAL_NUMBER.fullmatch(re.sub(r"[:\s]", "", serial).lower())
    if found is None:
        raise ListInvalid(f"{place}: {SERIAL_NUMBER} {serial[:80]!r} is not hexadecimal")
    return Listed(int(found[1], 16), key)


def _loaded(place: str, pem: str) -> list[x509.Certificate]:
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode())
    except ValueError as exc:
        raise ListInvalid(f"{place}: is not a certificate in PEM") from exc
    if len(certificates) < pem.count(_BEGIN):
        raise ListInvalid(f"{place}: is cut off: {pem.count(_BEGIN)} certificates begin, and {len(certificates)} end")
    return certificates


def _of_certificate(certificate: x509.Certificate) -> Listed:
    """Of any certificate: a PKI's own list has those of its servers and authorities, too, of which the ledger knows nothing."""
    whole = certificate.public_bytes(Encoding.DER)
    try:
        return Listed(certificate.serial_number, answers.key_of(whole))
    except BERInvalid as exc:  # which the library has just read
        raise ListInvalid("a certificate's key cannot be found") from exc
