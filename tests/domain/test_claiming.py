# SPDX-License-Identifier: Apache-2.0
"""The board decides: whether a station may work on a board, and as which unit."""

import pytest

from station.domain.claiming import OwnKnowledge, Way, way
from station.domain.credentials import Credentials
from station.domain.shared import Claim, KnownUnit, Rank
from station.domain.target import UID
from station.faults.slot import AnswerElsewhere, UnitElsewhere

BOARD = UID(bytes(12))
UNKNOWN = OwnKnowledge()
OURS = OwnKnowledge(known=True, owned=True, keys=frozenset({"k1"}))
OURS_WITHOUT_CSR = OwnKnowledge(known=True, owned=True, may_have_made_key=True)
OURS_UNASKED = OwnKnowledge(known=True, owned=True, unasked="k2")
A_COPYS = OwnKnowledge(known=True, keys=frozenset({"k1"}))
RELEASED = OwnKnowledge(released=True)
NEW = Claim(BOARD, 1, None, was_ours=False)


def known(
    *keys: str, pending: tuple[tuple[str, str], ...] = (), rank: Rank = Rank.CERTIFIED, was_ours: bool = False
) -> Claim:
    certificates = [(key, Credentials(b"dac", b"pai")) for key in keys]
    unit = KnownUnit("LOT-1", 4, "SN000005", b"sealed", rank, certificates, pending, "line-2")
    return Claim(BOARD, 2, unit, was_ours)


@pytest.mark.parametrize(
    ("own", "key", "suffices"),
    [
        (OURS, None, True),
        (OURS, "k1", True),
        (OURS, "k2", False),
        (OURS_UNASKED, "k2", False),
        (OURS_WITHOUT_CSR, "k2", False),  # another station may have made it since
        (A_COPYS, None, False),
        (A_COPYS, "k1", False),
        (UNKNOWN, None, False),
    ],
)
def test_the_centre_is_asked_unless_the_board_is_as_this_ledger_left_it(
    own: OwnKnowledge, key: str | None, *, suffices: bool
) -> None:
    assert own.suffices(key) is suffices


@pytest.mark.parametrize(
    ("own", "key", "claim", "expected"),
    [
        # the centre is away
        (UNKNOWN, None, None, Way.NEW),
        # it has never heard of the unit, or only that it was seen
        (UNKNOWN, None, NEW, Way.NEW),
        (UNKNOWN, None, known(rank=Rank.SEEN), Way.NEW),
        (A_COPYS, None, NEW, Way.NEW),
        (RELEASED, "k2", NEW, Way.NEW),
        (OURS_WITHOUT_CSR, "k2", NEW, Way.OWN),
        (OwnKnowledge(known=True, owned=True, released=True), "k2", NEW, Way.NEW),
        # another station began it
        (UNKNOWN, None, known(rank=Rank.TAKEN), Way.ADOPT),
        (UNKNOWN, "k1", known("k1", "k2"), Way.ADOPT),
        (OURS, "k2", known("k2"), Way.ADOPT),
        (RELEASED, "k3", known("k1"), Way.ADOPT),
        (UNKNOWN, "k1", known("k1", pending=(("k1", "line-3"),)), Way.ADOPT),
        # this station's own request of before, whose answer its lost tail may have held
        (A_COPYS, "k1", known(pending=(("k1", "line-1"),), rank=Rank.ON_BOARD), Way.ADOPT),
        # ours at the centre, too, and the key may be the one that was made just before a power cut
        (OURS_WITHOUT_CSR, "k2", known(rank=Rank.ON_BOARD, was_ours=True), Way.OWN),
        # this station has seen the key, and its PKI was not fit to be asked
        (OURS_UNASKED, "k2", known(rank=Rank.ON_BOARD, was_ours=True), Way.OWN),
        (OURS_UNASKED, "k2", NEW, Way.OWN),
    ],
)
def test_the_ways(own: OwnKnowledge, key: str | None, claim: Claim | None, expected: Way) -> None:
    assert way(BOARD, key, own, claim, "line-1") is expected


@pytest.mark.parametrize(
    ("own", "key", "claim", "reason"),
    [
        (UNKNOWN, "k1", None, "the centre cannot be reached"),
        (A_COPYS, None, None, "the centre cannot be reached"),
        (OURS, "k2", None, "the centre cannot be reached"),
        (RELEASED, "k1", None, "the centre cannot be reached"),
        # it may have got its certificate at another station meanwhile
        (OURS_WITHOUT_CSR, "k2", None, "the centre cannot be reached"),
        (UNKNOWN, "k1", NEW, "nor at the centre"),
        (UNKNOWN, "k2", known("k1"), "station line-2 gave it its serial number, SN000005"),
        # another station may have made the key in between, and not told of it
        (OURS_WITHOUT_CSR, "k2", known(rank=Rank.ON_BOARD), "station line-2"),
        (OURS_UNASKED, "k2", None, "the centre cannot be reached"),
        (OURS_UNASKED, "k2", known(rank=Rank.ON_BOARD), "station line-2"),
        (OURS_UNASKED, "k3", known(rank=Rank.ON_BOARD, was_ours=True), "station line-2"),
    ],
)
def test_a_board_with_a_past_that_nobody_knows_is_elsewhere(
    own: OwnKnowledge, key: str | None, claim: Claim | None, reason: str
) -> None:
    with pytest.raises(UnitElsewhere) as raised:
        way(BOARD, key, own, claim, "line-1")
    assert reason in raised.value.known


@pytest.mark.parametrize("own", [UNKNOWN, RELEASED, OURS_WITHOUT_CSR])
def test_a_request_of_another_station_is_waited_for(own: OwnKnowledge) -> None:
    """A release does not help either: its certificate would be bought twice."""
    claim = known(pending=(("k1", "line-3"),), rank=Rank.ON_BOARD, was_ours=True)
    with pytest.raises(AnswerElsewhere) as raised:
        way(BOARD, "k1", own, claim, "line-1")
    assert raised.value.station == "line-3"
