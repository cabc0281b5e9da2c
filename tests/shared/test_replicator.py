# SPDX-License-Identifier: Apache-2.0
"""The replicator's rounds against a centre in memory: every answer may be lost, and nothing is told or asked twice."""

from dataclasses import dataclass, field, replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from station.adapters.centre.trouble import CentreRefused
from station.adapters.ledger.shared import Stopped
from station.domain.shared import FEWEST_ITEMS, GRID, MOST_ITEMS, Refusal, checkpoint_text
from station.faults.line import (
    CentreAwaited,
    CentreUnusable,
    LeaseExhausted,
    LedgerFenced,
    LedgerForked,
    ReleaseNotApproved,
)
from station.replication.leasing import MOST_BLOCKS, missing_blocks, to_hold
from station.replication.replicator import Pace, Replicator, Signer, Terms
from station.replication.seen import Seen, State, fault_for_new_boards, pausing_fault
from tests.shared.in_memory import GENESIS, Away, Incarnation, Lost, MemoryCentre, MemoryLedger, Mishap

LOT, RELEASE = "lamp", "ab" * 32
AT_ONCE = Pace(sync_every=0, retried_after=0, retried_within=0, greeted_every=0, asked_every=0)


@dataclass
class Pair:
    """A station and its centre."""

    centre: MemoryCentre = field(default_factory=MemoryCentre)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    signer: Signer | None = None
    pace: Pace = AT_ONCE

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        terms = Terms("here", pace=self.pace, signer=self.signer)
        self.replicator = Replicator(self.centre, self.ledger, self.ledger, terms, RELEASE)

    async def rounds(self, most: int = 50) -> Seen:
        """Goes round until nothing is left to do."""
        for _ in range(most):
            before = len(self.centre.calls), self.ledger.state.lines, self.replicator.seen
            await self.replicator.round()
            seen = self.replicator.seen
            if seen == replace(before[2], pushed_at=seen.pushed_at) and self.ledger.state.lines == before[1]:
                break
        return self.replicator.seen

    @property
    def told(self) -> list[bytes]:
        """The texts of the newest incarnation at the centre."""
        return [line.text for line in self.centre.incarnations[max(self.centre.incarnations)].lines]


async def test_a_new_ledger_enrols_and_holds_what_it_needs() -> None:
    pair = Pair()
    seen = await pair.rounds()
    assert seen.state is State.UP
    assert (seen.items, seen.hold, seen.waiting) == (FEWEST_ITEMS, FEWEST_ITEMS, 0)
    assert pair.told == [b"IncarnationBegun", *[b"BlockReceived"] * 4]
    assert pair.ledger.state.acked == 5


@pytest.mark.parametrize("mishap", [Lost(), Away()], ids=["lost", "away"])
@pytest.mark.parametrize("at", range(6))
async def test_an_answer_that_does_not_come_changes_nothing_in_the_end(mishap: Mishap, at: int) -> None:
    """Enrolment, greeting, push and grant: each may be the one without an answer."""
    pair = Pair(MemoryCentre(mishaps=[*[None] * at, mishap]))
    seen = await pair.rounds()
    assert (seen.state, seen.items, seen.waiting) == (State.UP, FEWEST_ITEMS, 0)
    assert list(pair.centre.incarnations) == [1]
    assert pair.told == [b"IncarnationBegun", *[b"BlockReceived"] * 4]
    assert len(pair.centre.blocks) == 1


async def test_boards_that_are_made_before_an_enrolment_is_answered_do_not_fork_the_ledger() -> None:
    """The earlier incarnation's journal goes on meanwhile, so that the base is another than the one that was asked with."""
    pair = Pair()
    await pair.rounds()
    pair.ledger.state = replace(pair.ledger.state, moved=True)
    pair.centre.mishaps = [Lost()]
    pair.restart()
    await pair.replicator.round()
    pair.ledger.tell("AttemptEnded", 3)
    seen = await pair.rounds()
    assert (seen.state, seen.waiting, list(pair.centre.incarnations)) == (State.UP, 0, [1, 2])
    assert pair.told[0] == b"IncarnationBegun"
    assert pair.centre.incarnations[2].begun_from == pair.ledger.begun_from


async def test_a_request_whose_answer_was_lost_is_asked_again_after_a_restart() -> None:
    pair = Pair()
    await pair.rounds()
    pair.ledger.used = FEWEST_ITEMS
    pair.centre.mishaps = [None, Lost()]  # the push, and the grant
    await pair.replicator.round()
    asked = pair.ledger.request
    pair.restart()
    seen = await pair.rounds()
    assert asked is not None
    assert asked.number in pair.centre.blocks
    assert len(pair.centre.blocks) == 2
    assert seen.items == FEWEST_ITEMS


async def test_away_is_told_once_and_the_line_goes_on() -> None:
    pair = Pair()
    await pair.rounds()
    pair.centre.always = Away()
    pair.ledger.tell("AttemptEnded", 10)
    for _ in range(5):
        await pair.replicator.round()
    seen = pair.replicator.seen
    assert (seen.state, seen.reason, seen.waiting) == (State.AWAY, "nobody answers", 10)
    assert pausing_fault(seen, "line-1", offline_start=True) is None
    assert fault_for_new_boards(seen) is None
    pair.centre.always = None
    assert (await pair.rounds()).waiting == 0


async def test_many_lines_go_in_pushes_of_a_bounded_size() -> None:
    pair = Pair()
    await pair.rounds()
    pair.ledger.tell("AttemptEnded", 7000)
    before = pair.centre.calls.count("push")
    await pair.rounds()
    assert pair.told[5:] == [b"AttemptEnded"] * 7000
    assert pair.centre.calls.count("push") - before >= 3


async def test_a_centre_that_was_set_back_gets_the_rest_again() -> None:
    """Its cursor is lower, and the hash there is the ledger's own."""
    pair = Pair()
    await pair.rounds()
    pair.ledger.tell("AttemptEnded", 10)
    await pair.rounds()
    whole, known = pair.told, pair.centre.incarnations[1]
    del known.lines[7:]
    pair.ledger.tell("AttemptEnded")
    await pair.rounds()
    assert pair.told == [*whole, b"AttemptEnded"]


async def test_a_centre_set_back_before_the_enrolment_gets_the_whole_journal_again() -> None:
    pair = Pair()
    await pair.rounds()
    whole = pair.told
    pair.centre.incarnations.clear()
    pair.restart()
    seen = await pair.rounds()
    assert (seen.state, pair.told) == (State.UP, whole)
    assert list(pair.centre.incarnations) == [1]


async def test_a_ledger_that_a_centre_has_forgotten_is_fenced_by_a_later_one() -> None:
    pair = Pair()
    await pair.rounds()
    pair.centre.incarnations = {1001: Incarnation("another's", GENESIS)}
    pair.restart()
    assert (await pair.rounds()).state is State.FENCED
    assert pair.centre.incarnations[1].lines


@pytest.mark.parametrize("refusal", [Refusal.RESTORED, Refusal.STARTING])
async def test_a_centre_that_was_set_back_is_as_good_as_away_until_a_person_accepts_it(refusal: Refusal) -> None:
    pair = Pair()
    await pair.rounds()
    pair.restart()
    pair.centre.always = CentreRefused(refusal, "not now")
    await pair.replicator.round()
    seen = pair.replicator.seen
    assert (seen.state, seen.reason) == (State.STARTING, "not now")
    assert pausing_fault(seen, "line-1", offline_start=True) is None


async def test_a_ledger_with_other_lines_than_the_centre_stops() -> None:
    pair = Pair()
    await pair.rounds()
    other = MemoryLedger()
    other.tell("another's", 5)
    pair.centre.incarnations[1].lines[:] = other.lines
    pair.ledger.tell("AttemptEnded")
    seen = await pair.rounds()
    assert seen.state is State.FORKED
    assert pair.ledger.state.stopped is Stopped.FORKED
    assert isinstance(pausing_fault(seen, "line-1", offline_start=True), LedgerForked)
    pair.restart()
    calls = len(pair.centre.calls)
    assert (await pair.rounds()).state is State.FORKED
    assert len(pair.centre.calls) == calls


async def test_a_closed_incarnation_tells_its_rest_and_stops() -> None:
    """Two PCs with one name: the later closes the earlier."""
    pair = Pair()
    await pair.rounds()
    pair.centre.incarnations[1].closed = True
    pair.ledger.tell("AttemptEnded")
    seen = await pair.rounds()
    assert (seen.state, seen.waiting) == (State.FENCED, 0)
    assert pair.ledger.state.stopped is Stopped.FENCED
    assert isinstance(pausing_fault(seen, "line-1", offline_start=True), LedgerFenced)
    pair.ledger.tell("AttemptEnded")
    pair.restart()
    seen = await pair.rounds()
    assert (seen.state, seen.waiting) == (State.FENCED, 0)
    assert pair.told[-1] == b"AttemptEnded"


async def test_a_ledger_that_knows_less_than_the_centre_becomes_a_new_incarnation_without_blocks() -> None:
    """A snapshot that was put back at its own place."""
    pair = Pair()
    await pair.rounds()
    del pair.ledger.lines[2:]
    pair.ledger.state = replace(pair.ledger.state, lines=2, head=pair.ledger.lines[1].hash)
    pair.restart()
    seen = await pair.rounds()
    assert seen.state is State.UP
    assert sorted(pair.centre.incarnations) == [1, 2]
    assert pair.ledger.blocks == {(LOT, RELEASE): [4, 5, 6, 7]}


async def test_an_enrolment_without_an_answer_is_no_other_computer() -> None:
    """The lost answer has closed the incarnation that the ledger still has."""
    pair = Pair()
    await pair.rounds()
    pair.ledger.state = replace(pair.ledger.state, moved=True)
    pair.centre.mishaps = [Lost()]
    pair.restart()
    await pair.replicator.round()
    assert isinstance(pausing_fault(pair.replicator.seen, "line-1", offline_start=True), CentreAwaited)
    pair.restart()
    assert (await pair.rounds()).state is State.UP
    assert sorted(pair.centre.incarnations) == [1, 2]


async def test_a_moved_ledger_waits_for_the_centre() -> None:
    pair = Pair()
    await pair.rounds()
    pair.ledger.state = replace(pair.ledger.state, moved=True)
    pair.restart()
    pair.centre.always = Away()
    await pair.replicator.round()
    fault = pausing_fault(pair.replicator.seen, "line-1", offline_start=True)
    assert isinstance(fault, CentreAwaited)
    assert fault.reason == "nobody answers"


@pytest.mark.parametrize(("offline_start", "waits"), [(True, False), (False, True)])
async def test_a_start_without_the_centre_is_as_configured(offline_start: bool, waits: bool) -> None:  # noqa: FBT001
    pair = Pair()
    await pair.rounds()
    pair.restart()
    pair.centre.always = Away()
    await pair.replicator.round()
    seen = pair.replicator.seen
    assert seen.state is State.STARTING
    assert isinstance(pausing_fault(seen, "line-1", offline_start=offline_start), CentreAwaited) is waits
    assert fault_for_new_boards(seen) is None


@pytest.mark.parametrize(
    ("refusal", "fault"),
    [
        (Refusal.NOT_APPROVED, ReleaseNotApproved),
        (Refusal.LOT_UNKNOWN, LeaseExhausted),
        (Refusal.LOT_EXHAUSTED, LeaseExhausted),
        (Refusal.RESTORED, LeaseExhausted),
        (Refusal.STARTING, LeaseExhausted),
    ],
)
async def test_a_refused_grant_holds_new_boards_only(refusal: Refusal, fault: type[Exception]) -> None:
    """What the ledger holds already goes on being used."""
    pair = Pair()
    await pair.rounds()
    pair.ledger.used = FEWEST_ITEMS
    pair.centre.mishaps = [None, CentreRefused(refusal, "said why")]
    await pair.replicator.round()
    seen = pair.replicator.seen
    assert (seen.state, seen.ungranted) == (State.UP, refusal)
    assert isinstance(fault_for_new_boards(seen), fault)
    assert pausing_fault(seen, "line-1", offline_start=True) is None
    seen = await pair.rounds()
    assert fault_for_new_boards(seen) is None
    assert seen.ungranted is None


@pytest.mark.parametrize("refusal", [Refusal.FLEET_KEY, Refusal.SCHEMA, Refusal.STATION_UNKNOWN])
async def test_a_centre_that_refuses_the_station_pauses_it_until_it_does_not(refusal: Refusal) -> None:
    pair = Pair(MemoryCentre(always=CentreRefused(refusal, "said why")))
    await pair.rounds()
    fault = pausing_fault(pair.replicator.seen, "line-1", offline_start=True)
    assert isinstance(fault, CentreUnusable)
    assert fault.reason == "said why"
    pair.centre.always = None
    assert (await pair.rounds()).state is State.UP


async def test_a_change_of_the_lot_gives_unused_blocks_up() -> None:
    """The journal tells the centre, so a lost answer costs nothing."""
    pair = Pair()
    await pair.rounds()
    pair.ledger.making = "other"
    await pair.rounds()
    assert pair.told.count(b"BlockGivenBack lamp") == 4
    assert pair.ledger.blocks == {("other", RELEASE): [4, 5, 6, 7]}


async def test_what_was_asked_for_an_earlier_lot_is_given_up_when_it_comes() -> None:
    """The answer was lost, and the blocks are this station's all the same."""
    pair = Pair(MemoryCentre(mishaps=[None, None, None, Lost()]))  # enrolment, greeting and push, and then the grant
    await pair.replicator.round()
    assert pair.ledger.request is not None
    pair.ledger.making = "other"
    await pair.rounds()
    assert pair.told.count(b"BlockGivenBack lamp") == 4
    assert pair.ledger.blocks == {("other", RELEASE): [4, 5, 6, 7]}


async def test_without_a_lot_nothing_is_asked_for() -> None:
    pair = Pair()
    pair.ledger.making = None
    seen = await pair.rounds()
    assert pair.centre.blocks == {}
    assert fault_for_new_boards(seen) is None


async def test_the_head_is_signed_at_first_and_when_the_lot_ends() -> None:
    key = Ed25519PrivateKey.generate()
    pair = Pair(signer=key)
    await pair.rounds()
    pair.ledger.tell("AttemptEnded")
    await pair.rounds()
    assert len(pair.ledger.checkpoints) == 1
    pair.ledger.making = "other"
    await pair.rounds()
    assert len(pair.ledger.checkpoints) == 2
    for upto, head, signature in pair.ledger.checkpoints:
        assert pair.ledger.hash_at(upto) == head
        key.public_key().verify(signature, checkpoint_text(7, 1, upto, head))


def test_what_is_held_is_bounded() -> None:
    assert to_hold(0, 8) == FEWEST_ITEMS
    assert to_hold(1000, 8) == 8000
    assert to_hold(100_000, 8) == MOST_ITEMS


def test_no_part_of_a_block_is_asked_for() -> None:
    assert missing_blocks(FEWEST_ITEMS - 1, FEWEST_ITEMS) == 0
    assert missing_blocks(FEWEST_ITEMS - GRID, FEWEST_ITEMS) == 1
    assert missing_blocks(0, MOST_ITEMS) == MOST_BLOCKS


def test_items_last_for_hours_of_the_busiest_one() -> None:
    assert Seen(items=1000, busiest_hour=250).hours_left == 4
    assert Seen(items=1000).hours_left is None


@pytest.mark.parametrize("offline_start", [True, False])
async def test_no_attempt_begins_before_the_first_round_has_its_outcome(offline_start: bool) -> None:  # noqa: FBT001
    """A ledger that was set back with its machine looks as ever: it would give its numbers out twice until the greeting."""
    pair = Pair()
    await pair.rounds()
    pair.restart()
    assert isinstance(pausing_fault(pair.replicator.seen, "line-1", offline_start=offline_start), CentreAwaited)
    pair.replicator.look()
    assert isinstance(pausing_fault(pair.replicator.seen, "line-1", offline_start=offline_start), CentreAwaited)
    await pair.replicator.round()
    assert pausing_fault(pair.replicator.seen, "line-1", offline_start=offline_start) is None
