# SPDX-License-Identifier: Apache-2.0
"""Opens the connection to the PKI that a line's configuration names."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Protocol

from station.adapters.pki.enroller import Enroller
from station.adapters.pki.est import ESTClient
from station.adapters.pki.http import Connection, Server
from station.config.line import PKISection


class Provider(Enroller, Protocol):
    """A PKI as the daemon sees it."""

    def time(self) -> datetime | None:
        """The present time by the PKI's clock; None as long as it has told none."""


@asynccontextmanager
async def opened(pki: PKISection) -> AsyncIterator[Provider]:
    """The PKI's client; raises PKIFileUnusable."""
    async with Connection.opened(server(pki)) as connection:
        yield ESTClient(connection)


def server(pki: PKISection) -> Server:
    """The server that the configuration names."""
    return Server(
        pki.url,
        ca=pki.ca,
        certificate=pki.certificate,
        key=pki.key,
        connect_within=pki.connect_within,
        reply_within=pki.reply_within,
    )
