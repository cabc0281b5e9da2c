# SPDX-License-Identifier: Apache-2.0
"""Whether a station may work on a board, and as which unit: by what stands on the board, what this ledger knows, and the centre. Pure.

The board decides: a station works on it only if what stands on it is what its knowledge last put there.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum, auto

from station.domain.shared import Claim, KnownUnit, Rank
from station.domain.target import UID
from station.faults.slot import AnswerElsewhere, UnitElsewhere, UnitScrapped

AWAY = "the centre cannot be reached"
UNHEARD_OF = "nothing of it is known here, nor at the centre"


@dataclass(frozen=True, slots=True)
class OwnKnowledge:
    """What this ledger knows of a board.

    `known`: it has an identity for it; `owned`: and vouches for it. `keys` are those of the unit's requests to the PKI.
    `may_have_made_key`: the last attempt that began to write the firmware that makes keys has seen no key. `unasked`: the key
    that it has seen, and for which this station has asked no PKI. `released`: a person has said that the board is to be
    provisioned in spite of its key.
    """

    known: bool = False
    owned: bool = False
    keys: AbstractSet[str] = frozenset()
    may_have_made_key: bool = False
    unasked: str | None = None
    released: bool = False

    def suffices(self, key: str | None) -> bool:
        """Whether a board with this key, which None is for a board without one, is as this ledger left it."""
        return self.owned and (key is None or key in self.keys)

    def may_suffice(self, key: str) -> bool:
        """Whether the board with this key may be as this ledger left it: no other station has seen the key yet, or asked for it."""
        return self.owned and (self.may_have_made_key or key == self.unasked)


class Way(Enum):
    """How an attempt goes on.

    `OWN`: with this ledger's identity, if what stands on the board is what this ledger has written; another station may have
    worked on it without the centre. `NEW`: with the identity that the ledger has or gives it. `ADOPT`: with the centre's.
    """

    OWN = auto()
    NEW = auto()
    ADOPT = auto()


def way(uid: UID, key: str | None, own: OwnKnowledge, claim: Claim | None, station: str) -> Way:
    """The way after the centre's answer, which None is for if it is away. `station` is this station's name.

    Raises `UnitElsewhere`, `UnitScrapped`, or `AnswerElsewhere` while another station waits for the PKI's answer.
    """
    if claim is None:
        return _without_the_centre(uid, key, own)
    known = claim.known
    if known is None or known.rank is Rank.SEEN:
        return _unknown_to_the_centre(uid, key, own)
    if known.rank is Rank.SCRAPPED:
        raise UnitScrapped(str(uid))
    if key is None or key in {name for name, _ in known.certificates}:
        return Way.ADOPT
    waiting = dict(known.pending)
    if waiting.get(key, station) != station:
        raise AnswerElsewhere(str(uid), waiting[key])
    if claim.was_ours and own.may_suffice(key):
        return Way.OWN
    if key in waiting or own.released:
        return Way.ADOPT
    raise UnitElsewhere(str(uid), key, _begun(known))


def _without_the_centre(uid: UID, key: str | None, own: OwnKnowledge) -> Way:
    """A board with a key that this ledger has not seen may be a unit of another station by now, whatever it was before."""
    if key is None and not own.known:
        return Way.NEW
    raise UnitElsewhere(str(uid), key or "", AWAY)


def _unknown_to_the_centre(uid: UID, key: str | None, own: OwnKnowledge) -> Way:
    """The centre may not have been told yet what this ledger has done."""
    if key is None or own.released:
        return Way.NEW
    if own.may_suffice(key):
        return Way.OWN
    raise UnitElsewhere(str(uid), key, UNHEARD_OF)


def _begun(known: KnownUnit) -> str:
    return f"station {known.began_at} gave it its serial number, {known.serial_number}"
