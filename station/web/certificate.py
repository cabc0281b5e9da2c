# SPDX-License-Identifier: Apache-2.0
"""The page's certificate and key, taken up again whenever their files change. Half of a pair leaves the old one in use."""

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from station.adapters.pki.tls import check_private
from station.adapters.system.file_stamp import Stamp, stamp_of
from station.config import plain_files
from station.domain.issuance import EXPIRES_SOON
from station.faults.line import PKIFileUnusable
from station.matter.certificates.pem import CERTIFICATE, PEMInvalid, der_of, is_pem

log = structlog.get_logger()

# Of TLS 1.2 those with forward secrecy and authenticated encryption; those of 1.3 all have both.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

_Stamps = tuple[Stamp | None, ...]


class CertificateUnusable(OSError):
    """Certificate or key cannot be used; `file` is the one to mend, and the reason follows its name."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file} {reason}")
        self.file = file
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Loaded:
    """The content of the files, as it was taken up."""

    context: ssl.SSLContext
    valid_until: datetime
    names: frozenset[str]
    """The hosts for which the certificate is, in lower case."""

    @property
    def days(self) -> int:
        """Whole days until the certificate expires; negative afterwards."""
        return (self.valid_until - datetime.now(UTC)).days


class Certificate:
    """Certificate and key in use. `context` is that of the server: each connection gets the newest pair through it."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises `CertificateUnusable`."""
        self.file, self._key = certificate, key
        self._stamp = self._stamps()
        self._current = loaded(certificate, key)
        self._refused: str | None = None
        self._told: int | None = None
        self.context = self._current.context
        self.context.sni_callback = self._choose

    @property
    def days(self) -> int:
        """Whole days until the certificate in use expires; negative afterwards."""
        return self._current.days

    def look(self) -> None:
        """Takes up changed files, and warns once a day of a certificate that expires soon."""
        stamp = self._stamps()
        if stamp != self._stamp or self._refused is not None:
            self._stamp = stamp
            self._take_up()
        if (days := self.days) < EXPIRES_SOON and days != self._told:
            self._told = days
            log.warning("web.certificate_expiring", file=str(self.file), days=days)

    def _take_up(self) -> None:
        before, self._refused = self._refused, None
        try:
            self._current = loaded(self.file, self._key)
        except CertificateUnusable as exc:
            self._refused = str(exc)
            if self._refused != before:
                log.warning("web.certificate_refused", file=str(exc.file), reason=exc.reason)
            return
        log.info("web.certificate_taken_up", file=str(self.file), days=self.days)

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Called at each handshake, whether the browser names the host or not."""
        self.look()
        connection.context = self._current.context

    def _stamps(self) -> _Stamps:
        return tuple(stamp_of(path) for path in (self.file, self._key))


def loaded(certificate: Path, key: Path) -> Loaded:
    """Reads and checks the files; an expired certificate is taken, since browsers tell of it. Raises `CertificateUnusable`."""
    read, names = _certificate(certificate)
    try:
        check_private(key)
    except PKIFileUnusable as fault:
        raise CertificateUnusable(key, fault.reason) from fault
    _check_key(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as exc:
        raise CertificateUnusable(key, f"is not the key of {certificate} ({exc.reason})") from exc
    except OSError as exc:
        raise CertificateUnusable(key, f"cannot be read: {exc.strerror}") from exc
    return Loaded(context, read.not_valid_after_utc, names)


def uncovered(names: frozenset[str], hosts: Iterable[str]) -> list[str]:
    """The hosts that a certificate with these names is not for."""
    return [
        host
        for host in hosts
        if host.strip("[]") not in names and f"*.{host.partition('.')[2]}" not in names  # a wildcard is one label
    ]


def _certificate(path: Path) -> tuple[x509.Certificate, frozenset[str]]:
    content = _content(path)
    if content.startswith(b"\x30"):
        raise CertificateUnusable(path, f"is DER, and PEM is needed: openssl x509 -inform DER -in {path} -out PEM")
    try:
        if not is_pem(content):
            raise CertificateUnusable(path, "is no certificate in PEM")
        read = x509.load_der_x509_certificate(der_of(content, *CERTIFICATE, first=True))
        usage = [each.value for each in read.extensions if isinstance(each.value, x509.ExtendedKeyUsage)]
        names = _names(read)
    except PEMInvalid as exc:
        raise CertificateUnusable(path, f"is no certificate in PEM: {exc.reason}") from exc
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as exc:
        raise CertificateUnusable(path, "is no certificate in PEM") from exc
    if usage and ExtendedKeyUsageOID.SERVER_AUTH not in usage[0]:
        raise CertificateUnusable(path, "is not a certificate for servers")
    return read, names


def _check_key(path: Path) -> None:
    content = _content(path)
    if content.startswith(b"\x30"):
        raise CertificateUnusable(path, f"is DER, and PEM is needed: openssl pkey -inform DER -in {path} -out PEM")
    if b"-----BEGIN ENCRYPTED" in content or b"Proc-Type: 4,ENCRYPTED" in content:
        text = "is encrypted, and nobody can type its password for a daemon"
        raise CertificateUnusable(path, f"{text}: openssl pkey -in {path} -out KEY makes one without a password")
    if b"PRIVATE KEY-----" not in content and b"-----BEGIN PKCS#11 PROVIDER URI-----" not in content:
        raise CertificateUnusable(path, "has no private key")


def _content(path: Path) -> bytes:
    try:
        return plain_files.read(path)
    except OSError as exc:
        raise CertificateUnusable(path, f"cannot be read: {exc.strerror}") from exc


def _names(certificate: x509.Certificate) -> frozenset[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:  # browsers look nowhere else
        return frozenset()
    names = [name.lower() for name in found.get_values_for_type(x509.DNSName)]
    addresses = [str(ip_address(str(each))) for each in found.get_values_for_type(x509.IPAddress)]
    return frozenset([*names, *addresses])
