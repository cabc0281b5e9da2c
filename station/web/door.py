# SPDX-License-Identifier: Apache-2.0
"""The one way from the page to the daemon."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from station.web.models import Health, Line, Lot, Plans, Slot, Stock


@dataclass(frozen=True, slots=True)
class About:
    """What stays as it is while the daemon runs."""

    station: str
    recipe: str
    product: str | None
    language: str
    columns: int | None
    signs_in: bool = False
    """Whether people sign in to read."""


class Door(Protocol):
    """The daemon, as the page sees it. Nothing here waits but the two that read the ledger, in a thread."""

    @property
    def about(self) -> About: ...

    def line(self) -> Line: ...

    def marks(self) -> Mapping[str, object]:
        """For each slot, in their order, a mark that differs once the slot has changed. Cheap: it is asked eight times a second."""
        ...

    def slot(self, name: str) -> Slot:
        """One slot as it is now."""
        ...

    def mes(self) -> int | None:
        """Messages that the MES does not get; None without an MES."""
        ...

    def shared(self) -> Stock:
        """What people must know of the shared ledger's centre."""
        ...

    def ready(self) -> Health:
        """Whether the line could judge a board now."""
        ...

    async def lot(self) -> Lot | None:
        """Raises `LedgerUnavailable`."""
        ...

    async def plans(self) -> Plans:
        """Raises `LedgerUnavailable`."""
        ...
