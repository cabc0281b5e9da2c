# SPDX-License-Identifier: Apache-2.0
"""The station's side of mutually authenticated TLS: the authorities that it trusts, and its own certificate."""

import re
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from station.adapters.system.client_tls import OLDEST, trusting
from station.config import plain_files
from station.faults.line import PKIFileUnusable
from station.matter.certificates.pem import CERTIFICATE, PEMInvalid, der_of, is_pem

OTHERS = 0o077  # the mode bits of group and others
_KEY = re.compile(rb"-----BEGIN ([A-Z0-9]+ )?PRIVATE KEY-----|-----BEGIN PKCS#11 PROVIDER URI-----")


def client_context(ca: Path, certificate: Path, key: Path, floor: ssl.TLSVersion = OLDEST) -> ssl.SSLContext:
    """A context that trusts only the authorities in one file, and presents the station's certificate.

    Raises PKIFileUnusable for a file that is missing, unreadable, expired, not meant for clients, or of another key.
    The key is read by OpenSSL only, so it may be a reference to a key in a security module.
    """
    check_station_certificate(certificate)
    _check_authorities(ca)
    check_private(key)
    _check_key(key)
    try:
        context = trusting(ca, floor)
    except ssl.SSLError as exc:
        raise PKIFileUnusable(str(ca), f"holds no certificate authority ({exc.reason})") from exc
    try:
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as exc:
        raise PKIFileUnusable(str(key), f"is not the key of {certificate} ({exc.reason})") from exc
    return context


def check_station_certificate(path: Path) -> None:
    """Raises PKIFileUnusable unless a PKI could accept this certificate now."""
    certificate = _certificate(path)
    now, begins, ends = datetime.now(UTC), certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begins:
        raise PKIFileUnusable(str(path), f"is valid from {begins:%Y-%m-%d %H:%M} UTC only: check the clock")
    if now > ends:
        raise expired(path, ends)
    try:
        usage = _extended_key_usage(certificate)
    except ValueError as exc:
        raise PKIFileUnusable(str(path), "is not a certificate in PEM") from exc
    if usage is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        raise PKIFileUnusable(str(path), "is not a certificate for clients")


def valid_until(path: Path) -> datetime:
    """The end of the station's certificate; raises PKIFileUnusable."""
    return _certificate(path).not_valid_after_utc


def expired(path: Path, ends: datetime) -> PKIFileUnusable:
    return PKIFileUnusable(str(path), f"expired at {ends:%Y-%m-%d %H:%M} UTC")


def check_private(path: Path) -> None:
    """Raises PKIFileUnusable if other accounts can use a file that holds a secret."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as exc:
        raise PKIFileUnusable(str(path), f"cannot be read: {exc.strerror}") from exc
    if mode & OTHERS:
        raise PKIFileUnusable(str(path), f"can be used by other accounts (its mode is {mode:04o}): chmod 600 {path}")


def _certificate(path: Path) -> x509.Certificate:
    content = _check_readable(path)
    if not is_pem(content):  # which OpenSSL asks for
        if content.startswith(b"\x30"):
            raise PKIFileUnusable(str(path), _needs_pem("certificate", "x509", path))
        raise PKIFileUnusable(str(path), "is not a certificate in PEM")
    try:
        return x509.load_der_x509_certificate(der_of(content, *CERTIFICATE, first=True))
    except PEMInvalid as exc:
        raise PKIFileUnusable(str(path), f"is not a certificate in PEM: {exc.reason}") from exc
    except ValueError as exc:
        raise PKIFileUnusable(str(path), "is not a certificate in PEM") from exc


def _check_authorities(path: Path) -> None:
    content = _check_readable(path)
    if content.startswith(b"\x30"):
        raise PKIFileUnusable(str(path), _needs_pem("ca", "x509", path))


def _check_key(path: Path) -> None:
    """Only the form: the key itself is read by OpenSSL."""
    content = _check_readable(path)
    if content.startswith(b"\x30"):
        raise PKIFileUnusable(str(path), _needs_pem("key", "pkey", path))
    if b"-----BEGIN ENCRYPTED" in content or b"Proc-Type: 4,ENCRYPTED" in content:
        text = "is encrypted, and nobody can type its password for a daemon: [pki] key needs a key without one"
        raise PKIFileUnusable(str(path), f"{text}, as openssl pkey -in {path} -out KEY makes it")
    if b"-----BEGIN " in content and not _KEY.search(content):
        label = content.split(b"-----BEGIN ", 1)[1].split(b"-----", 1)[0].decode("ascii", "replace")[:40]
        raise PKIFileUnusable(str(path), f"is PEM with {label!a}, and [pki] key needs a private key")


def _needs_pem(setting: str, command: str, path: Path) -> str:
    return f"is DER, and [pki] {setting} needs PEM: openssl {command} -inform DER -in {path} -out PEM"


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
