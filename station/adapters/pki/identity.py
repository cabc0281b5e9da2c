# SPDX-License-Identifier: Apache-2.0
"""How the station shows the PKI who it is: certificate, key and secret, taken up again whenever their files change."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import structlog

from station.adapters.pki import tls
from station.adapters.pki.secret_header import SecretHeader
from station.adapters.system.client_tls import trusting
from station.adapters.system.file_stamp import Stamp, stamp_of
from station.faults.line import PKIFileUnusable

log = structlog.get_logger()

_Stamps = tuple[Stamp | None, ...]


@dataclass(frozen=True, slots=True)
class IdentityFiles:
    """The files by which the PKI and the station know one another."""

    ca: Path
    certificate: Path | None
    """None, as the key, where the station shows no certificate but a secret only."""
    key: Path | None
    floor: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    secrets: tuple[SecretHeader, ...] = ()

    @property
    def all(self) -> tuple[Path, ...]:
        files = (self.ca, self.certificate, self.key, *(secret.file for secret in self.secrets))
        return tuple(file for file in files if file is not None)


@dataclass(frozen=True, slots=True)
class Identity:
    """The content of the files, as it was taken up."""

    context: ssl.SSLContext
    valid_until: datetime
    headers: Mapping[str, str] = field(repr=False)


class Watched:
    """The identity in use, and its files."""

    def __init__(self, files: IdentityFiles) -> None:
        """Raises PKIFileUnusable."""
        self.files = files
        self._stamp = _stamp(files)
        self.current = _loaded(files)
        self._refused: PKIFileUnusable | None = None
        """The mistake in the newest files; None if they are in use."""

    def taken_up(self) -> bool:
        """Takes up changed files; returns whether the identity is a new one.

        Files that cannot be used, such as half of a pair, leave the old identity in use, with a warning. They are read
        again each time, since a certificate may become valid without a change of its file.
        """
        stamp = _stamp(self.files)
        if stamp == self._stamp and self._refused is None:
            return False
        before, self._refused = self._refused if stamp == self._stamp else None, None
        self._stamp = stamp
        try:
            self.current = _loaded(self.files)
        except PKIFileUnusable as fault:
            self._refused = fault
            if before is None or before.evidence != fault.evidence:
                log.warning("pki.files_refused", file=fault.file, reason=fault.reason)
            return False
        days = self.days if self.files.certificate is not None else None
        log.info("pki.files_taken_up", file=str(self.files.certificate or self.files.ca), days=days)
        return True

    @property
    def days(self) -> int:
        """Whole days until the certificate in use expires; negative afterwards."""
        return (self.current.valid_until - datetime.now(UTC)).days

    def check(self) -> None:
        """Raises PKIFileUnusable once the certificate in use has expired: the mistake in its successor, if there is one."""
        if self.files.certificate is not None and datetime.now(UTC) > self.current.valid_until:
            if self._refused is not None:
                raise PKIFileUnusable(self._refused.file, self._refused.reason)
            raise tls.expired(self.files.certificate, self.current.valid_until)


def _loaded(files: IdentityFiles) -> Identity:
    headers = dict(secret.read() for secret in files.secrets)
    if files.certificate is None or files.key is None:
        return Identity(_without_certificate(files), datetime.max.replace(tzinfo=UTC), headers)
    context = tls.client_context(files.ca, files.certificate, files.key, files.floor)
    return Identity(context, tls.valid_until(files.certificate), headers)


def _without_certificate(files: IdentityFiles) -> ssl.SSLContext:
    try:
        return trusting(files.ca, files.floor)
    except ssl.SSLError as exc:
        raise PKIFileUnusable(str(files.ca), f"holds no certificate authority ({exc.reason})") from exc
    except OSError as exc:
        raise PKIFileUnusable(str(files.ca), f"cannot be read: {exc.strerror}") from exc


def _stamp(files: IdentityFiles) -> _Stamps:
    return tuple(stamp_of(path) for path in files.all)
