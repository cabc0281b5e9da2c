# SPDX-License-Identifier: Apache-2.0
"""The authority's directory: made in one step at the first start, checked at every later one.

Keys and certificates are PEM files of mode 0600 in a directory of mode 0700; `issued.jsonl` lists what was issued, `requests.jsonl` and
`answers.jsonl` what was asked for and how each request ended; a directory that has never been served lacks these two.
"""

import os
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from development_pki.attestation import Product, make_paa, make_pai
from development_pki.certificate import Credential
from development_pki.tls import TLSCredentials

ISSUED, REQUESTS, ANSWERS = "issued.jsonl", "requests.jsonl", "answers.jsonl"
READY = "ready.json"
TLS_CA, TLS_SERVER, TLS_STATION = "tls/ca", "tls/server", "tls/station"
FILES = (
    *(f"{name}{end}" for name in ("paa", "pai", TLS_CA, TLS_SERVER, TLS_STATION) for end in ("-key.pem", ".pem")),
    ISSUED,
)


class DirectoryUnusable(Exception):
    """The directory does not hold a complete development PKI for the requested product; the text says what to do."""


def write_private(path: Path, data: bytes) -> None:
    """Writes a file of mode 0600 and renames it into place when all of it is on the disk."""
    # mkstemp creates files of mode 0600
    descriptor, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Path(unfinished).replace(path)


def open_or_make(directory: Path, product: Product) -> tuple[Credential, Credential]:
    """Returns the PAA and the PAI of the directory; makes the directory if there is none yet.

    Raises DirectoryUnusable if files are missing or do not belong together, or serve another product.
    """
    missing = [name for name in FILES if not (directory / name).exists()]
    if len(missing) == len(FILES):
        _make(directory, product)
    elif missing:
        raise DirectoryUnusable(
            f"{directory} is half made, {', '.join(missing)} missing: restore what is missing, or delete the directory"
        )
    try:
        paa, pai = load_credential(directory, "paa"), load_credential(directory, "pai")
        pai.certificate.verify_directly_issued_by(paa.certificate)
    except (ValueError, TypeError, InvalidSignature) as exc:
        raise DirectoryUnusable(
            f"{directory}: the certificates and keys of PAA and PAI do not belong together ({exc})"
        ) from exc
    if (served := Product.named_in(pai.certificate.subject)) != product:
        raise DirectoryUnusable(f"{directory} serves vendor and product {served}, not {product}")
    return paa, pai


def load_credential(directory: Path, name: str) -> Credential:
    """Reads a certificate and its key; ValueError if either is unreadable or they do not belong together."""
    certificate = x509.load_pem_x509_certificate((directory / f"{name}.pem").read_bytes())
    key = load_pem_private_key((directory / f"{name}-key.pem").read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise ValueError(f"{name}-key.pem is not the key of {name}.pem")
    return Credential(certificate, key)


def _make(directory: Path, product: Product) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise DirectoryUnusable(f"{directory} holds other things: name an empty directory, or one that does not exist")
    directory.chmod(0o700)
    (directory / "tls").mkdir(mode=0o700)
    paa, tls = make_paa(product), TLSCredentials.made()
    _save(directory, TLS_CA, tls.ca)
    _save(directory, TLS_SERVER, tls.server)
    _save(directory, TLS_STATION, tls.station)
    _save(directory, "paa", paa)
    _save(directory, "pai", make_pai(paa, product))
    write_private(directory / ISSUED, b"")


def _save(directory: Path, name: str, credential: Credential) -> None:
    key = credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private(directory / f"{name}-key.pem", key)
    write_private(directory / f"{name}.pem", credential.certificate.public_bytes(Encoding.PEM))
