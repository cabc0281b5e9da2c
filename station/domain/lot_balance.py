# SPDX-License-Identifier: Apache-2.0
"""What became of every identity, serial number, label and certificate of a lot, and whether it adds up. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from station.domain.identity import LIFE, IdentityState


@dataclass(frozen=True, slots=True)
class LotBalance:
    """One lot's counts. `size` and `planned` are None for a lot of a recipe, which the ledger knows by its units only."""

    lot: str
    planned: int | None
    size: int | None

    identities: int
    """Given out, whatever became of them; the serial numbers are as many, and `skipped` after a restoration."""
    reserved: int
    on_board: int
    certified: int
    confirmed: int
    passed: int
    burned: int
    released: int
    failed: int
    """Units in work whose last judged attempt failed."""
    scrapped: int
    quarantined: int
    samples: int
    """Units that prove the line instead of being sold; counted nowhere else, unless they are burned."""
    bound: int
    """Passed units whose newest label was scanned at its board."""
    unbound: int
    """Passed units that are not done, since the order's recipe requires a label and theirs is not bound."""
    labels_printed: int
    """Prints that were begun, whatever became of them; each is one of the following, or the newest of a unit with a bound label."""
    labels_copies: int
    """Further prints, by the number of each unit's newest one; each voids the one before, so that as many are void."""
    labels_void: int
    """Prints after which another of the same unit was begun."""
    labels_waiting: int
    """Newest prints of passed units that are not bound."""
    labels_of_burned: int
    labels_of_samples: int
    """Newest prints of these units, bound or not."""
    skipped: int
    next_index: int
    """The index of the next serial number, counted from 0."""

    passed_in_journal: int
    """Units that the journal has seen pass, and that have not been burned since."""
    counted: int | None
    """The units in the lot's own count, by which over-production is refused."""

    dacs_bought: int
    dacs_bound: int
    """Live certificates of units that were certified and are not burned."""
    dacs_waiting: int
    """Live certificates whose units have not reached them yet, or failed at them."""
    dacs_to_revoke: int
    """Live certificates of burned units."""
    dacs_of_samples: int
    dacs_replaced: int
    """Certificates for keys of which a partner has delivered a second one since."""
    dacs_orphaned: int
    """Certificates that no unit has."""
    answers_missing: int
    """Requests that may have bought one more."""

    @property
    def in_work(self) -> int:
        return self.reserved + self.on_board + self.certified + self.confirmed

    @property
    def to_do(self) -> int | None:
        """Units that are still to be done."""
        return None if self.planned is None else self.planned - self.passed + self.unbound

    @property
    def numbers_left(self) -> int | None:
        return None if self.size is None else self.size - self.next_index

    def mistakes(self) -> Iterator[str]:
        """A sentence for each place where the counts contradict one another; none if the lot adds up."""
        known = sum(getattr(self, state.value) for state in (*LIFE, IdentityState.BURNED, IdentityState.RELEASED))
        if known + self.samples != self.identities:
            yield f"{self.identities} identities were given out, and {known + self.samples} are accounted for"
        used = self.identities + self.skipped
        if used != self.next_index:
            yield f"{self.identities} identities and {self.skipped} skipped serial numbers are not {self.next_index} numbers"
        if self.passed_in_journal != self.passed:
            yield f"{self.passed} units are passed, and the journal has seen {self.passed_in_journal} pass"
        yield from self._of_labels()
        yield from self._of_certificates()
        if self.scrapped > self.burned:
            yield f"{self.scrapped} units are scrapped, and {self.burned} identities burned"
        if self.counted is not None and self.counted != self.in_work + self.passed:
            yield f"the lot counts {self.counted} units passed or in work, and there are {self.in_work + self.passed}"
        if self.planned is not None and self.passed + self.in_work > self.planned:
            yield f"{self.passed + self.in_work} units are passed or in work, and {self.planned} were planned"

    def _of_labels(self) -> Iterator[str]:
        if self.unbound and self.bound + self.unbound != self.passed:
            yield f"{self.passed} units are passed, and the labels of {self.bound} are bound and of {self.unbound} not"
        newest = self.bound + self.labels_waiting + self.labels_of_burned + self.labels_of_samples
        if newest + self.labels_void != self.labels_printed:
            yield f"{self.labels_printed} labels were printed, and {newest + self.labels_void} are accounted for"
        if self.labels_copies != self.labels_void:
            yield f"{self.labels_copies} labels are further copies, and they void {self.labels_void}"

    def _of_certificates(self) -> Iterator[str]:
        with_dac = self.certified + self.confirmed + self.passed
        if with_dac != self.dacs_bound:
            yield f"{with_dac} units are certified, and {self.dacs_bound} of them have a live certificate"
        bound = self.dacs_bound + self.dacs_waiting + self.dacs_to_revoke + self.dacs_of_samples
        found = bound + self.dacs_replaced + self.dacs_orphaned
        if found != self.dacs_bought:
            yield f"{self.dacs_bought} certificates were bought, and {found} are accounted for"
