# SPDX-License-Identifier: Apache-2.0
"""What labels and the MES's receiver say, compared with boards and ledgers. Pure."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from tests.campaign.evidence import Entry, Evidence
from tests.campaign.referee.boards import Board
from tests.campaign.referee.ledgers import Attempt
from tests.campaign.referee.units import by_board, identities
from tests.campaign.referee.violation import Promise, Violation
from tests.line.lot_count import Print, passcode_of


def labels(evidence: Evidence) -> Iterator[Violation]:
    """Each label opens its unit, and each passed unit has one where labels are required."""
    of_unit: dict[str, list[Print]] = defaultdict(list)
    for each in evidence.prints:
        if each.serial_number is not None:
            of_unit[each.serial_number].append(each)
    makers = Counter(
        uid for ledger in evidence.ledgers for uid in {each.uid for each in ledger.attempts if each.verdict == "pass"}
    )
    for board in evidence.boards:
        for wrong in _wrong(board, of_unit.get(board.serial_number or "", []), makers[board.uid]):
            yield Violation(Promise.LABELS, wrong)
    yield from _as_the_ledgers_say(evidence, of_unit)


def _wrong(board: Board, prints: Sequence[Print], makers: int) -> Iterator[str]:
    """What is wrong with the labels of one board. Each of its makers, the stations that passed it, counts its own copies."""
    if len({each.code for each in prints}) > 1:
        yield f"the labels of {board.serial_number} have different codes"
    elif prints and not board.opens_by(passcode_of(prints[-1].code or "")):
        yield f"the label of {board.serial_number} does not open it"
    if any(times > max(makers, 1) for times in Counter(each.copy for each in prints).values()):
        yield f"two labels of {board.serial_number} are the same copy"


def _as_the_ledgers_say(evidence: Evidence, of_unit: Mapping[str, Sequence[Print]]) -> Iterator[Violation]:
    """Each label is of a known unit, each that was printed is there, and each passed unit has one where that is required."""
    serial_numbers = {uid: each.serial_number for uid, each in identities(evidence).items()}
    for number in sorted(of_unit.keys() - serial_numbers.values()):
        yield Violation(Promise.LABELS, f"{number} has a label, and no ledger knows it")
    passed = {uid for uid, attempts in by_board(evidence).items() if attempts[-1].verdict == "pass"}
    for uid in sorted(passed if evidence.story.labels else ()):
        if not of_unit.get(serial_numbers.get(uid, "")):
            yield Violation(Promise.LABELS, f"{serial_numbers.get(uid)} has passed, and has no label")
    for uid, copy in (each for ledger in evidence.ledgers for each in ledger.prints):
        number = serial_numbers.get(uid, "")
        if copy not in {each.copy for each in of_unit.get(number, ())}:
            yield Violation(Promise.LABELS, f"copy {copy} of {number} was printed, and is not in the tray")


def told(evidence: Evidence) -> Iterator[Violation]:
    """The receiver has each attempt once, with the ledger's verdict, unit and fault, and nothing waits."""
    if evidence.told is None:
        return
    events: dict[tuple[str, int], list[Entry]] = defaultdict(list)
    for event in evidence.told:
        data = event["data"]
        if isinstance(data, dict) and "attempt" in data:
            events[str(data["station"]), int(data["attempt"])].append(data)
    for ledger in evidence.ledgers:
        if waiting := sum(not each.sent and not each.given_up for each in ledger.messages):
            yield Violation(Promise.TOLD, f"{waiting} messages of {ledger.path.parent.name} wait for the receiver")
        given_up = {json.loads(each.body).get("id") for each in ledger.messages if each.given_up}
        for attempt in ledger.attempts:
            got = events.pop((attempt.station, attempt.id), [])
            if f"{attempt.station}/{attempt.id}" not in given_up:
                yield from (Violation(Promise.TOLD, wrong) for wrong in _told_wrong(attempt, got))
    for station, number in events:
        yield Violation(Promise.TOLD, f"the receiver was told of attempt {number} of {station}, which no ledger has")


def _told_wrong(attempt: Attempt, got: Sequence[Entry]) -> Iterator[str]:
    """What is wrong with the events of one attempt."""
    if not got and attempt.verdict is not None:
        yield f"the receiver was not told of {attempt.name}"
    if len(got) > 1:
        yield f"the receiver has {attempt.name} as {len(got)} events"
    ours = (attempt.verdict, attempt.fault, attempt.uid)
    for theirs in ((data["verdict"], data["fault"], data["uid"]) for data in got):
        if ours != theirs:
            yield f"{attempt.name} is {ours}, and the receiver was told {theirs}"
