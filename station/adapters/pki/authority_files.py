# SPDX-License-Identifier: Apache-2.0
"""Files with the certificates of authorities: whether they are such, and whether they are valid now. Pure but for reading."""

from datetime import datetime
from pathlib import Path

from cryptography import x509

from station.config import plain_files
from station.matter.certificates.pem import CERTIFICATE, PEMInvalid, der_of


def is_authority(path: Path) -> bool:
    """Whether the file's first certificate is that of an authority; False for what is no certificate."""
    certificate = _first(path)
    return certificate is not None and _is_authority(certificate)


def mistake_in_authority(path: Path, now: datetime) -> str | None:
    """Why nothing can be verified by the file's first certificate; None if something can, or if it is no certificate."""
    certificate = _first(path)
    if certificate is None:
        return None
    if not _is_authority(certificate) and certificate.subject != certificate.issuer:
        return "is a certificate that no authority has, such as the server's own"
    return mistake_in_time(path, now)


def mistake_in_time(path: Path, now: datetime) -> str | None:
    """That the file's first certificate is not valid now; None if it is, or if it is no certificate."""
    certificate = _first(path)
    if certificate is None:
        return None
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > ends:
        return f"expired at {ends:%Y-%m-%d %H:%M} UTC, expected a certificate that is valid now"
    if now < begins:
        return f"is valid from {begins:%Y-%m-%d %H:%M} UTC only, expected one that is valid now: check the clock"
    return None


def _first(path: Path) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(der_of(plain_files.read(path), *CERTIFICATE, first=True))
    except (OSError, PEMInvalid, ValueError):  # told at its own setting
        return None


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False
