# SPDX-License-Identifier: Apache-2.0
"""Opens the connection to the PKI that a line's configuration names."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cryptography import x509

from station.adapters.pki import authority_files
from station.adapters.pki.enroller import Enroller
from station.adapters.pki.est import ESTClient, Manner
from station.adapters.pki.http import Connection, Server
from station.adapters.pki.identity import IdentityFiles
from station.adapters.pki.openbao import OpenBao, Place
from station.adapters.pki.openbao_session import TOKEN, Login
from station.adapters.pki.program import Program
from station.adapters.pki.secret_header import SecretHeader
from station.config.pki_kinds import Kind, OpenBaoSection
from station.config.sections import PKISection
from station.faults.line import PKIFileUnusable
from station.matter.certificates.pem import PEMInvalid


class Provider(Enroller, Protocol):
    """A PKI as the daemon and the doctor see it."""

    @property
    def lacks(self) -> tuple[str, ...] | None:
        """What the PKI wants of requests and boards' requests do not have; None as long as that is not known."""

    def time(self) -> datetime | None:
        """The present time by the PKI's clock; None as long as it has told none."""

    @property
    def certificate_days(self) -> int | None:
        """Whole days until the station's certificate expires; negative afterwards, None where there is none."""

    def look(self) -> int | None:
        """Warns in the log when the station's certificate expires soon; returns `certificate_days`."""


@asynccontextmanager
async def opened(pki: PKISection) -> AsyncIterator[Provider]:
    """The PKI's client, of the kind that the configuration names; raises PKIFileUnusable."""
    async with AsyncExitStack() as stack:
        yield await _OPENERS[pki.kind](pki, stack)


async def _est(pki: PKISection, stack: AsyncExitStack) -> Provider:
    connection = await stack.enter_async_context(Connection.opened(server(pki)))
    pinned = _certificate(pki.pai) if pki.authorities == "pinned" else None
    return ESTClient(connection, Manner(pki.request, pki.content_type, pinned))


async def _openbao(pki: PKISection, stack: AsyncExitStack) -> Provider:
    section = pki.openbao or OpenBaoSection()
    tokens = (SecretHeader(section.token_file, TOKEN),) if section.token_file else ()
    connection = await stack.enter_async_context(Connection.opened(server(pki, *tokens)))
    return OpenBao(
        connection,
        Place(section.mount, section.issuer, section.role, section.not_after),
        login=None if section.token_file else Login(section.login, section.login_role),
        namespace=section.namespace,
        pinned=_certificate(pki.pai) if pki.authorities == "pinned" else None,
    )


async def _program(pki: PKISection, _stack: AsyncExitStack) -> Provider:
    if pki.exec is None:
        raise ValueError("kind exec without its table")
    section = pki.exec
    return Program(
        pki.place, section.command, check=section.check, within=pki.reply_within, pinned=_certificate(pki.pai)
    )


_OPENERS: Mapping[Kind, Callable[[PKISection, AsyncExitStack], Awaitable[Provider]]] = {
    "est": _est,
    "openbao": _openbao,
    "exec": _program,
}


def server(pki: PKISection, *secrets: SecretHeader) -> Server:
    """The server that the configuration names; `secrets` are sent to it besides those of the configuration."""
    if pki.url is None or pki.ca is None:
        raise ValueError(f"kind {pki.kind} without a server")
    floor = ssl.TLSVersion.TLSv1_3 if pki.tls_floor == "1.3" else ssl.TLSVersion.TLSv1_2
    files = IdentityFiles(pki.ca, pki.certificate, pki.key, floor, secrets + _secrets(pki))
    return Server(
        pki.url,
        files,
        connect_within=pki.connect_within,
        reply_within=pki.reply_within,
        at_once=pki.at_once,
        keep_alive=pki.keep_alive,
    )


def _secrets(pki: PKISection) -> tuple[SecretHeader, ...]:
    basic = (SecretHeader(pki.basic_file),) if pki.basic_file else ()
    named = (SecretHeader(pki.header_file, pki.header),) if pki.header_file else ()
    return basic + named


def _certificate(path: Path) -> x509.Certificate:
    """Raises PKIFileUnusable; a line's own anchors have been checked before."""
    try:
        return authority_files.first_of(path)
    except OSError as exc:
        raise PKIFileUnusable(str(path), f"cannot be read: {exc.strerror}") from exc
    except (PEMInvalid, ValueError) as exc:
        raise PKIFileUnusable(str(path), "is not a certificate") from exc
