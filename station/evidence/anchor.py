# SPDX-License-Identifier: Apache-2.0
"""Where the journal of a bundle ends: the chain's head, and the station's newest signed checkpoint. Pure."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from station.domain.checkpoint import NotACheckpoint, Signed
from station.evidence import rows
from station.evidence.findings import StampRefused, Trusted
from station.evidence.form import NotABundle
from station.evidence.journal import Links
from station.evidence.rows import Row

SIZE = 32  # bytes of a hash


@dataclass(frozen=True, slots=True)
class Anchor:
    """Both as the bundle says; None in a ledger without a chain, or without a checkpoint."""

    head: tuple[int, int] | None
    hash: bytes
    signed: Signed | None

    @classmethod
    def read(cls, said: Row) -> Self:
        """Raises `NotABundle`."""
        signed, line = None, rows.text_or_none(said, "checkpoint")
        if line is not None:
            try:
                signed = Signed.read(line)
            except NotACheckpoint as exc:
                raise NotABundle(f"it has no checkpoint that can be read: {exc}") from exc
        if said.get("head") is None:
            return cls(None, b"", signed)
        head = rows.mapping(said, "head")
        place = rows.number(head, "incarnation"), rows.number(head, "number")
        return cls(place, rows.octets(head, "hash", SIZE), signed)

    @property
    def awaited(self) -> tuple[int, int] | None:
        """The line whose hash the checkpoint has."""
        return None if self.signed is None else (self.signed.checkpoint.incarnation, self.signed.checkpoint.number)

    def mistakes(self, links: Links, signer: bytes, trusted: Trusted) -> Iterator[str]:
        """A sentence for each way in which the journal does not lead to head and checkpoint, or another key has signed it."""
        if links.is_chained and (links.at, links.hash) != (self.head, self.hash):
            yield f"the journal ends at line {_text(links.at)}, which is not the chain's head {_text(self.head)}"
        if self.signed is None or self.awaited is None:
            return
        if not self.signed.is_sound():
            yield "the signature of the checkpoint is wrong"
        if self.signed.public_key not in {signer, *trusted.keys}:
            yield (
                f"the checkpoint is signed by the key {self.signed.public_key.hex()}, and the bundle by {signer.hex()}: if the"
                " station has changed its key, give both with --key"
            )
        if self.head is None or self.awaited > self.head:
            yield f"the checkpoint has line {_text(self.awaited)}, and the chain ends at {_text(self.head)}: the ledger was set back"
        elif links.found not in {None, self.signed.checkpoint.hash}:
            yield f"line {_text(self.awaited)} is not the one that the station has signed: the journal was written anew"
        elif links.found is None and links.is_chained and self.awaited > links.first:
            yield f"the journal does not tell the hash of line {_text(self.awaited)}, which the checkpoint has"
        try:
            self._stamped(trusted)
        except StampRefused as exc:
            yield f"the time stamp of the checkpoint proves nothing: {exc}"

    def notes(self, links: Links, trusted: Trusted) -> Iterator[str]:
        """What the checkpoint leaves open, and since when it was there at the latest."""
        if self.head is None:
            yield "the ledger had no chain: nothing but the bundle's signature vouches for the journal"
        elif self.signed is None:
            yield "the station has signed no checkpoint: nothing but the bundle's signature vouches for the chain"
        elif links.later:
            yield f"{links.later} lines of the lot are later than the newest checkpoint"
        if self.signed is None or self.signed.timestamp is None:
            if trusted.stamped is not None:
                yield "nothing here has a time stamp: no authority vouches for the bundle's age"
            return
        with suppress(StampRefused):
            at = self._stamped(trusted)
            if at is None:
                yield "the checkpoint has a time stamp, which is not checked: name the authority with --timestamp-ca"
            else:
                yield f"by its time stamp the newest checkpoint was there on {at:%Y-%m-%dT%H:%M:%SZ}"

    def _stamped(self, trusted: Trusted) -> datetime | None:
        """When the checkpoint was there by its stamp; None where there is none, or nobody to judge it. Raises `StampRefused`."""
        if self.signed is None or self.signed.timestamp is None or trusted.stamped is None:
            return None
        return trusted.stamped(self.signed.checkpoint.statement(), self.signed.timestamp)


def _text(place: tuple[int, int] | None) -> str:
    return "none" if place is None else f"{place[1]} of incarnation {place[0]}"
