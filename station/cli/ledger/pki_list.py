# SPDX-License-Identifier: Apache-2.0
"""Reads a PKI's own list of certificates: JSON, JSON lines or CSV with serial numbers and keys, or the certificates in PEM."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from station.domain.credentials import key_name
from station.domain.issuance import Listed

SERIAL_NUMBER, KEYS, CERTIFICATE = "serial_number", ("key_sha256", "key"), "certificate"
_KEY = re.compile(r"[0-9a-f]{64}")


class ListInvalid(Exception):
    """The file is no list that can be used; the text names the place and what was expected."""


def read(path: Path) -> list[Listed]:
    """Every certificate in the list, in its order; raises `ListInvalid` or `OSError`."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ListInvalid(f"{path}: is not UTF-8") from exc
    if "-----BEGIN CERTIFICATE-----" in text and not text.lstrip().startswith(("[", "{")):
        return [_of_certificate(each, f"{path}, certificate {n}") for n, each in enumerate(_loaded(path, text), 1)]
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
            for row in reader:
                yield f"line {reader.line_num}", row
    except (ValueError, csv.Error, RecursionError) as exc:
        raise ListInvalid(f"{path}: is not a list: {exc}") from exc


def _entry(row: object, place: str) -> Listed:
    if not isinstance(row, Mapping):
        raise ListInvalid(f"{place}: an object with {SERIAL_NUMBER} and {KEYS[0]} was expected")
    if isinstance(pem := row.get(CERTIFICATE), str) and pem:
        return _of_certificate(_loaded(Path(place), pem)[0], place)
    serial, key = row.get(SERIAL_NUMBER), next((row[name] for name in KEYS if row.get(name)), None)
    if not isinstance(serial, str) or not isinstance(key, str):
        raise ListInvalid(f"{place}: {SERIAL_NUMBER} and {KEYS[0]}, or {CERTIFICATE} in PEM, were expected")
    key = re.sub(r"[:\s]", "", key).lower()
    if not _KEY.fullmatch(key):
        raise ListInvalid(
            f"{place}: {KEYS[0]} is the SHA-256 of the public key (SubjectPublicKeyInfo), 64 hexadecimal digits"
        )
    try:
        return Listed(int(re.sub(r"[:\s]", "", serial), 16), key)
    except ValueError as exc:
        raise ListInvalid(f"{place}: {SERIAL_NUMBER} {serial!r} is not hexadecimal") from exc


def _loaded(path: Path, pem: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError as exc:
        raise ListInvalid(f"{path}: is not a certificate in PEM") from exc


def _of_certificate(certificate: x509.Certificate, place: str) -> Listed:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ListInvalid(f"{place}: its key is no elliptic curve key, so it is no DAC")
    return Listed(certificate.serial_number, key_name(key))
