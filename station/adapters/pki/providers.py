# SPDX-License-Identifier: Apache-2.0
"""Opens the connection to the PKI that a line's configuration names."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cryptography import x509

from station.adapters.pki.enroller import Enroller
from station.adapters.pki.est import ESTClient, Manner
from station.adapters.pki.http import Connection, Server
from station.adapters.pki.identity import IdentityFiles
from station.adapters.pki.secret_header import SecretHeader
from station.config import plain_files
from station.config.line import PKISection
from station.faults.line import PKIFileUnusable
from station.matter.certificates.pem import CERTIFICATE, PEMInvalid, der_of


class Provider(Enroller, Protocol):
    """A PKI as the daemon sees it."""

    def time(self) -> datetime | None:
        """The present time by the PKI's clock; None as long as it has told none."""

    @property
    def certificate_days(self) -> int | None:
        """Whole days until the station's certificate expires; negative afterwards, None where there is none."""

    def look(self) -> int | None:
        """Warns in the log when the station's certificate expires soon; returns `certificate_days`."""


@asynccontextmanager
async def opened(pki: PKISection) -> AsyncIterator[ESTClient]:
    """The PKI's client; raises PKIFileUnusable."""
    async with Connection.opened(server(pki)) as connection:
        yield ESTClient(connection, _manner(pki))


def server(pki: PKISection) -> Server:
    """The server that the configuration names."""
    floor = ssl.TLSVersion.TLSv1_3 if pki.tls_floor == "1.3" else ssl.TLSVersion.TLSv1_2
    basic = (SecretHeader(pki.basic_file),) if pki.basic_file else ()
    named = (SecretHeader(pki.header_file, pki.header),) if pki.header_file else ()
    files = IdentityFiles(pki.ca, pki.certificate, pki.key, floor, basic + named)
    return Server(
        pki.url,
        files,
        connect_within=pki.connect_within,
        reply_within=pki.reply_within,
        at_once=pki.at_once,
        keep_alive=pki.keep_alive,
    )


def _manner(pki: PKISection) -> Manner:
    return Manner(pki.request, pki.content_type, _certificate(pki.pai) if pki.authorities == "pinned" else None)


def _certificate(path: Path) -> x509.Certificate:
    """Raises PKIFileUnusable; a line's own anchors have been checked before."""
    try:
        return x509.load_der_x509_certificate(der_of(plain_files.read(path), *CERTIFICATE, first=True))
    except OSError as exc:
        raise PKIFileUnusable(str(path), f"cannot be read: {exc.strerror}") from exc
    except (PEMInvalid, ValueError) as exc:
        raise PKIFileUnusable(str(path), "is not a certificate") from exc
