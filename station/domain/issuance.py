# SPDX-License-Identifier: Apache-2.0
"""Requests to the PKI: their budget, the certificates that no unit has, and the comparison with the PKI's own list. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from station.domain.credentials import Credentials

# Requests for one key whose answers were lost, over all attempts and restarts. Each may have bought a certificate.
MOST_UNANSWERED = 2
EXPIRES_SOON = 30  # days that the station's own certificate is valid, below which the station warns


@dataclass(frozen=True, slots=True)
class Asked:
    """What the PKI owes one board. `until`: a time before which the PKI does not want to be asked for the board's key again."""

    unanswered: int = 0
    until: datetime | None = None

    @property
    def exhausted(self) -> bool:
        """Whether a further request could buy one certificate too many."""
        return self.unanswered >= MOST_UNANSWERED


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What the ledger has of one board's key."""

    credentials: Credentials | None = None
    """The certificate issued for it."""
    asked: Asked = Asked()
    """What the PKI owes the board."""
    lost: bool = False
    """Whether the answer to a request for it was lost, even if the board has been excused for that."""


class OrphanKind(StrEnum):
    """Why a certificate that may exist belongs to no unit."""

    UNKNOWN = "unknown"
    """A request without an answer; it may have bought a certificate."""
    REFUSED = "refused"
    """The station received the certificate and refused it."""
    SURPLUS = "surplus"
    """A second certificate for a key, by the PKI's own list, or one for a key of nobody in the answer to a request."""
    SCRAPPED = "scrapped"
    """The certificate of a unit that was scrapped."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One certificate in the PKI's own list: its serial number, and the name of its key (`credentials.key_name`)."""

    serial_number: int
    key: str


@dataclass(frozen=True, slots=True)
class Request:
    """A request without an answer."""

    number: int
    key: str
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows of the keys in a list: requests without an answer, and every serial number that it has by key."""

    unanswered: Sequence[Request]
    live: Mapping[str, int]
    others: Mapping[str, frozenset[int]]
    keys: frozenset[str]
    expected: frozenset[str]
    """Keys whose live certificate is older than the list, so that a whole list has it."""
    ours: bool = True
    """Whether the list has any certificate for a key that the ledger knows."""
    in_flight: frozenset[str] = frozenset()
    """Keys with a request at the PKI now, whose answer will tell more than the list."""


@dataclass(frozen=True, slots=True)
class Surplus:
    """A certificate that the PKI has issued and no unit has; `request` is the request that bought it, if that can be told."""

    key: str
    serial_number: int
    request: int | None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The result of a comparison: requests that bought these certificates, requests that bought nothing, and what does not fit."""

    surplus: tuple[Surplus, ...] = ()
    nothing_issued: tuple[int, ...] = ()
    too_new: tuple[int, ...] = ()
    """Requests without an answer from after the list was made, or at the PKI now: it cannot tell of them."""
    not_listed: tuple[str, ...] = ()
    """Keys whose live certificate the list does not have: the list is not whole, or of another PKI."""
    unproven: tuple[int, ...] = ()
    """Requests for which the list has no certificate, and which may have bought one, since it is not whole or of another PKI."""
    foreign: int = 0
    """Certificates in the list for keys that the ledger does not know."""


@dataclass(slots=True)
class _Sorted:
    surplus: list[Surplus] = field(default_factory=list)
    nothing: list[int] = field(default_factory=list)
    too_new: list[int] = field(default_factory=list)


def reconcile(known: Known, listed: Iterable[Listed], as_of: datetime) -> Reconciled:
    """Compares the ledger with the PKI's whole list, as it was at `as_of`.

    A list that lacks a live certificate is not whole, and one without any certificate that the ledger knows may be another
    PKI's: neither proves of a request that nothing was issued.
    """
    by_key = defaultdict[str, set[int]](set)
    for entry in listed:
        by_key[entry.key].add(entry.serial_number)
    not_listed = tuple(sorted(key for key in known.expected if known.live[key] not in by_key[key]))
    requests = defaultdict[str, list[Request]](list)
    for request in known.unanswered:
        requests[request.key].append(request)

    result = _Sorted()
    for key in sorted(known.keys):
        if key in known.in_flight:
            result.too_new += [request.number for request in requests[key]]
            continue
        accounted = known.others.get(key, frozenset()) | ({known.live[key]} if key in known.live else set())
        _sort(result, key, sorted(by_key[key] - accounted), requests[key], as_of)
    nothing, unproven = result.nothing, list[int]()
    if not_listed or not known.ours:
        nothing, unproven = unproven, nothing
    foreign = sum(len(serials) for key, serials in by_key.items() if key not in known.keys)
    return Reconciled(
        tuple(result.surplus), tuple(nothing), tuple(result.too_new), not_listed, tuple(unproven), foreign
    )


def _sort(result: _Sorted, key: str, new: Sequence[int], requests: Sequence[Request], as_of: datetime) -> None:
    """Pairs new serial numbers with requests, the oldest first; which request bought which certificate cannot be told, only how many."""
    for serial_number, request in zip(new, requests, strict=False):
        result.surplus.append(Surplus(key, serial_number, request.number))
    result.surplus += [Surplus(key, serial_number, None) for serial_number in new[len(requests) :]]
    for request in requests[len(new) :]:
        (result.nothing if request.submitted_at < as_of else result.too_new).append(request.number)
