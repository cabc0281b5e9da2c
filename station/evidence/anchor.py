# SPDX-License-Identifier: Apache-2.0
"""Where the journal of a bundle ends: the chain's head, and the signed checkpoint that covers the lot's last line. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from station.evidence import rows
from station.evidence.journal import Links
from station.evidence.rows import Row


@dataclass(frozen=True, slots=True)
class Anchor:
    """`head` is the chain's newest line when the bundle was made; None in a ledger without a chain."""

    head: tuple[int, int] | None

    @classmethod
    def read(cls, said: Row) -> Self:
        """Raises `NotABundle`."""
        head = None if said.get("head") is None else rows.mapping(said, "head")
        return cls(None if head is None else (rows.number(head, "incarnation"), rows.number(head, "number")))

    @property
    def awaited(self) -> tuple[int, int] | None:
        """The line whose hash the journal must have."""
        return None

    def mistakes(self, links: Links) -> Iterator[str]:
        """A sentence for each way in which the journal does not lead to the checkpoint."""
        if self.head is not None and links.at > self.head:
            yield f"the chain's head is line {self.head[1]}, and the journal has line {links.at[1]}"

    def notes(self, links: Links) -> Iterator[str]:
        """What the checkpoint leaves open."""
        if self.head is None and not links.told:
            yield "the ledger had no chain: nothing but the bundle's signature vouches for the journal"
