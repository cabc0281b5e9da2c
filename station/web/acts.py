# SPDX-License-Identifier: Apache-2.0
"""What people may do over the API, as the daemon does it."""

from collections.abc import Mapping
from typing import Literal, Protocol

from station.web.questions import NewLot, NewSample

FORMS = {"svg": "image/svg+xml", "pdf": "application/pdf", "zpl": "text/plain"}  # of a label

LotChange = Literal["resume", "pause", "close"]


class ActRefused(Exception):
    """The daemon refuses what a person wants to do; the text gives the reason."""


class LabelWrong(ActRefused):
    """The scanned label is not that of the board in the slot; `other` is None for the label of an unknown unit."""

    def __init__(self, text: str, slot: str, board: str, other: str | None) -> None:
        super().__init__(text)
        self.slot = slot
        self.board = board
        self.other = other


class Acts(Protocol):
    """What people may do, as the daemon does it. `who` goes into the ledger. Raises `ActRefused`."""

    async def hold(self, slot: str, *, who: str, reason: str) -> Mapping[str, object]: ...

    async def release(self, slot: str | None, *, who: str, reason: str) -> Mapping[str, object]: ...

    async def label(self, uid: str, form: str, *, who: str) -> bytes:
        """A unit's label in one of `FORMS`: secret. It is recorded before."""
        ...

    async def print_label(self, uid: str, reason: str, *, who: str, engineer: bool) -> Mapping[str, object]:
        """Prints a unit's label again, or for the first time."""
        ...

    async def scan(self, text: str, slot: str | None, *, who: str) -> Mapping[str, object]:
        """Compares a scanned label with the boards in the slots; raises `LabelWrong`, too."""
        ...

    async def release_unit(self, uid: str, *, who: str, reason: str) -> Mapping[str, object]:
        """Ends a unit's quarantine."""
        ...

    async def scrap_unit(self, uid: str, *, who: str, reason: str) -> Mapping[str, object]:
        """Burns a unit's identity for ever."""
        ...

    async def add_sample(self, sample: NewSample, *, who: str) -> Mapping[str, object]: ...

    async def open_lot(self, lot: NewLot, *, who: str) -> Mapping[str, object]: ...

    async def change_lot(self, lot: str, change: LotChange, *, who: str, reason: str) -> Mapping[str, object]: ...
