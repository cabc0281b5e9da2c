# SPDX-License-Identifier: Apache-2.0
"""The station's side of mutually authenticated TLS: the authorities that it trusts, and its own certificate."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from station.config import plain_files
from station.faults.line import PKIFileUnusable
from station.matter.certificates.pem import CERTIFICATE, PEMInvalid, der_of, is_pem

EXPIRES_SOON = timedelta(days=30)

log = structlog.get_logger()


def client_context(ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """A context that trusts only the authorities in one file, and presents the station's certificate.

    Raises PKIFileUnusable for a file that is missing, unreadable, expired, not meant for clients, or of another key.
    The key is read by OpenSSL only, so it may be a reference to a key in a security module.
    """
    check_station_certificate(certificate)
    _check_readable(ca)
    _check_readable(key)
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError as exc:
        raise PKIFileUnusable(str(ca), f"holds no certificate authority ({exc.reason})") from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as exc:
        raise PKIFileUnusable(str(key), f"is not the key of {certificate}, or is encrypted ({exc.reason})") from exc
    return context


def check_station_certificate(path: Path) -> None:
    """Raises PKIFileUnusable unless a PKI could accept this certificate now; warns when it will expire soon."""
    content = _check_readable(path)
    if not is_pem(content):  # which OpenSSL asks for
        raise PKIFileUnusable(str(path), "is not a certificate in PEM")
    try:
        certificate = x509.load_der_x509_certificate(der_of(content, *CERTIFICATE, first=True))
        usage = _extended_key_usage(certificate)
    except (PEMInvalid, ValueError) as exc:
        raise PKIFileUnusable(str(path), "is not a certificate in PEM") from exc
    now, begins, ends = datetime.now(UTC), certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begins:
        raise PKIFileUnusable(str(path), f"is valid from {begins:%Y-%m-%d %H:%M} UTC only: check the clock")
    if now > ends:
        raise PKIFileUnusable(str(path), f"expired at {ends:%Y-%m-%d %H:%M} UTC")
    if usage is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        raise PKIFileUnusable(str(path), "is not a certificate for clients")
    if ends - now < EXPIRES_SOON:
        log.warning("pki.certificate_expiring", file=str(path), days=(ends - now).days)


def _check_readable(path: Path) -> bytes:
    try:
        return plain_files.read(path)
    except OSError as exc:
        raise PKIFileUnusable(str(path), f"cannot be read: {exc.strerror}") from exc


def _extended_key_usage(certificate: x509.Certificate) -> x509.ExtendedKeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return None
