# SPDX-License-Identifier: Apache-2.0
"""A broken promise, and the names of the promises. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Promise(StrEnum):
    """What the station promises, in the words of the report."""

    NO_FALSE_PASS = "no false pass"
    PROVEN = "each pass is proven"
    EXPLAINED = "every verdict is explained"
    ENDED = "no attempt is left open"
    FOLLOWED = "each void is followed by a pass"
    NO_IDENTITY_TWICE = "no identity twice"
    ONE_IDENTITY = "a unit keeps its identity"
    CERTIFICATES = "certificates are accounted for"
    ISSUED = "boards and ledgers have only issued certificates"
    LEDGER_SOUND = "the ledger is sound"
    UNTOUCHED = "no record was changed"
    CENTRE = "the centre has what the stations have"
    LABELS = "labels are those of their units"
    TOLD = "the MES has what the ledger has"
    NOTHING_LEFT = "nothing is left behind"
    FLAT = "memory and descriptors stay flat"
    NO_SECRET = "no secret anywhere"


@dataclass(frozen=True, slots=True)
class Violation:
    """`what` names the board, attempt or file, and the contradiction."""

    promise: Promise
    what: str
