# SPDX-License-Identifier: Apache-2.0
"""What is true of the boards: no false pass, no identity twice, one identity for each unit. Pure."""

from collections import defaultdict
from collections.abc import Iterator

from tests.campaign.evidence import Evidence
from tests.campaign.referee.boards import DISCRIMINATOR, KEY, MANUFACTURED, ROTATING, SALT, VERIFIER, Board
from tests.campaign.referee.ledgers import Attempt, Identity
from tests.campaign.referee.violation import Promise, Violation

RESERVED = "reserved"  # the state of an identity that is on no board yet
SPOILERS = frozenset({"factory_data_erased"})  # faults of the bench that spoil a finished board


def by_board(evidence: Evidence) -> dict[str, list[Attempt]]:
    """The attempts on each unit that production counts, at all stations, in their order."""
    found: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in (each for ledger in evidence.ledgers for each in ledger.attempts):
        if attempt.uid is not None and not attempt.laboratory:
            found[attempt.uid].append(attempt)
    for attempts in found.values():
        if len({each.station for each in attempts}) > 1:  # else their numbers are in order, whatever the clock did
            attempts.sort(key=lambda each: each.began)
    return found


def identities(evidence: Evidence) -> dict[str, Identity]:
    """The identity of each unit: that of the station which came furthest with it."""
    found: dict[str, Identity] = {}
    for identity in (each for ledger in evidence.ledgers for each in ledger.identities):
        if identity.uid not in found or found[identity.uid].state == RESERVED:
            found[identity.uid] = identity
    return found


def burned(evidence: Evidence) -> frozenset[str]:
    """Serial numbers that a station had ready for a board that another one made, before the centre had heard of it: no board has them."""
    ours = {identity.serial_number for identity in identities(evidence).values()}
    ready = (each for ledger in evidence.ledgers for each in ledger.identities if each.state == RESERVED)
    return frozenset(each.serial_number for each in ready) - ours


def false_passes(evidence: Evidence) -> Iterator[Violation]:
    """Each unit whose last verdict is a pass would be commissioned, and is the unit that the ledger has."""
    known_as = identities(evidence)
    for uid, attempts in by_board(evidence).items():
        board, last = evidence.by_uid.get(uid), attempts[-1]
        passes = [each for each in attempts if each.verdict == "pass"]
        if board is None:
            yield from (Violation(Promise.NO_FALSE_PASS, f"{each.name}: no board is {uid}") for each in passes)
            continue
        if last.verdict != "pass" or _spoiled_since(evidence, board, last):
            continue
        operational = evidence.operational & frozenset(last.images.values())
        for flaw in (*board.flaws(operational, evidence.pki.paa), *_of_no_product(evidence, board)):
            yield Violation(Promise.NO_FALSE_PASS, f"{last.name}: {_named(board)} has {flaw}")
        identity = known_as.get(uid)
        if identity is None:
            yield Violation(Promise.NO_FALSE_PASS, f"{last.name}: no ledger has an identity for {_named(board)}")
            continue
        on_board = (board.serial_number, board.number_in(DISCRIMINATOR), board.text_in(MANUFACTURED))
        known = (identity.serial_number, identity.discriminator, identity.manufacturing_date)
        if on_board != known:
            yield Violation(Promise.ONE_IDENTITY, f"{_named(board)} has {on_board}, and the ledger {known}")


def _of_no_product(evidence: Evidence, board: Board) -> Iterator[str]:
    """The records that make the board a unit of no product that this line makes."""
    wrong = [
        {
            tag
            for tag, value in product.records.items()
            if board.records.get(tag, b"").rstrip(b"\0") != value.rstrip(b"\0")
        }
        for product in evidence.products.values()
    ]
    if wrong and all(wrong):
        _, tags = min((len(tags), sorted(tags)) for tags in wrong)
        yield f"other records than its product: {', '.join(map(str, tags))}"


def _spoiled_since(evidence: Evidence, board: Board, last: Attempt) -> bool:
    """Whether the bench has spoiled the board's memories after its pass, of which no station could know."""
    faults = evidence.bench.faults.get(board.number, ())
    return any(what in SPOILERS and at >= (last.ended or 0) - 1 for at, what in faults)


def told_passes(evidence: Evidence) -> Iterator[Violation]:
    """Each unit that ledger or receiver call passed has an attempt that passed."""
    passed = {uid for uid, attempts in by_board(evidence).items() if any(each.verdict == "pass" for each in attempts)}
    for ledger in evidence.ledgers:
        for identity in ledger.identities:
            if identity.state == "passed" and identity.owned and identity.uid not in passed:
                yield Violation(
                    Promise.NO_FALSE_PASS, f"{identity.serial_number} has passed, and no attempt on {identity.uid} has"
                )


def nothing_twice(evidence: Evidence) -> Iterator[Violation]:
    """No serial number, no pair of passcode and discriminator, no verifier, salt or certificate is on two boards."""
    where: dict[tuple[str, object], list[str]] = defaultdict(list)
    for board in evidence.boards:
        values: dict[str, object] = {
            "serial number": board.serial_number,
            "passcode and discriminator": board.passcode and (board.passcode, board.number_in(DISCRIMINATOR)),
            "verifier": board.records.get(VERIFIER),
            "salt": board.records.get(SALT),
            "certificate": board.dac,
            "rotating device id": board.records.get(ROTATING),
            "private key": board.records.get(KEY) or board.keys or None,
        }
        for name, value in values.items():
            if value is not None:
                where[name, value].append(_named(board))
    for (name, value), boards in where.items():
        if len(boards) > 1:
            shown = f" {value}" if name == "serial number" else ""
            yield Violation(Promise.NO_IDENTITY_TWICE, f"{name}{shown} is on {' and '.join(boards)}")


def ledgers_agree(evidence: Evidence) -> Iterator[Violation]:
    """No serial number is of two units in the ledgers, and no unit ever had two."""
    owners: dict[str, set[str]] = defaultdict(set)
    numbers: dict[str, set[str]] = defaultdict(set)
    never = burned(evidence)
    for uid, number in _owned(evidence):
        owners[number].add(uid)
        if number not in never:
            numbers[uid].add(number)
    for board in evidence.boards:
        if board.serial_number is not None and board.uid in numbers:
            numbers[board.uid].add(board.serial_number)
    for number, uids in owners.items():
        if len(uids) > 1:
            yield Violation(Promise.NO_IDENTITY_TWICE, f"serial number {number} is of {', '.join(sorted(uids))}")
    for uid, several in numbers.items():
        if len(several) > 1:
            yield Violation(Promise.ONE_IDENTITY, f"{uid} has been {', '.join(sorted(several))}")


def _owned(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """UID and serial number, wherever a ledger has them together."""
    for ledger in evidence.ledgers:
        yield from ((each.uid, each.serial_number) for each in ledger.identities)
    for uid, attempts in by_board(evidence).items():
        yield from ((uid, number) for each in attempts for number in each.texts("IdentityReserved", "serial_number"))


def _named(board: Board) -> str:
    return f"board {board.number} ({board.uid})"
