# SPDX-License-Identifier: Apache-2.0
"""Each verdict is ended, proven or explained; each void is followed by a pass; the ledger adds up. Pure."""

from collections import Counter
from collections.abc import Iterator

from tests.campaign.evidence import Evidence
from tests.campaign.referee.boards import Board
from tests.campaign.referee.ledgers import VERDICTS, Attempt, StationLedger
from tests.campaign.referee.units import by_board
from tests.campaign.referee.violation import Promise, Violation

PROOFS = ("UnitIdentified", "ProcedureChosen", "Confirmed", "Passed")
AROUND = 10.0  # seconds between a cause and the attempt that it ended, on a busy machine
SAME_CLOCK = 0.02
STAMPS = 2.0  # between the bench's and the ledger's stamps of one deed


def ended(evidence: Evidence) -> Iterator[Violation]:
    """Each attempt has one verdict, as its last event and in its row."""
    for attempt in _attempts(evidence):
        verdicts = [VERDICTS[each.type] for each in attempt.events if each.type in VERDICTS]
        if attempt.verdict is None and not verdicts:
            yield Violation(Promise.ENDED, f"{attempt.name} has no verdict")
        elif verdicts != [attempt.verdict] or attempt.events[-1].type not in VERDICTS:
            yield Violation(
                Promise.PROVEN, f"{attempt.name} is {attempt.verdict} in its row, and its events say {verdicts}"
            )
        elif attempt.fault != (attempt.events[-1].body.get("fault")):
            yield Violation(Promise.EXPLAINED, f"{attempt.name} has fault {attempt.fault}, and its events another")


def proven(evidence: Evidence) -> Iterator[Violation]:
    """Each pass has the events that prove it, on this board, and the bench has seen its programmer at work."""
    for attempt in _attempts(evidence):
        if attempt.verdict != "pass" or attempt.laboratory:
            continue
        types = [each.type for each in attempt.events]
        if lacking := [name for name in PROOFS if name not in types]:
            yield Violation(Promise.PROVEN, f"{attempt.name} has passed without {', '.join(lacking)}")
        if attempt.texts("UnitIdentified", "uid")[-1:] != [attempt.uid]:
            yield Violation(Promise.PROVEN, f"{attempt.name} has identified another board than {attempt.uid}")
        open_steps = Counter(attempt.texts("StepStarted", "step")) - Counter(attempt.texts("StepFinished", "step"))
        if open_steps:
            yield Violation(Promise.PROVEN, f"{attempt.name} has passed with open steps: {', '.join(open_steps)}")
        board = evidence.by_uid.get(attempt.uid or "")
        if board is None:
            continue
        span = attempt.began - STAMPS, (attempt.ended or attempt.began) + STAMPS
        if not any(span[0] <= at <= span[1] for at in evidence.bench.runs.get(board.number, ())):
            yield Violation(
                Promise.PROVEN, f"{attempt.name}: no programmer has worked on board {board.number} meanwhile"
            )


def explained(evidence: Evidence) -> Iterator[Violation]:
    """Each fail and void names its fault, and something has happened that can be its cause."""
    for attempt in _attempts(evidence):
        if attempt.verdict in {None, "pass"}:
            continue
        if not attempt.fault:
            yield Violation(Promise.EXPLAINED, f"{attempt.name} is {attempt.verdict} without a fault")
        elif not any(_causes(evidence, attempt)):
            yield Violation(
                Promise.EXPLAINED,
                f"{attempt.name} is {attempt.verdict} by {attempt.fault}, and nothing has befallen its board",
            )


def _causes(evidence: Evidence, attempt: Attempt) -> Iterator[bool]:
    """Whether each kind of cause was there. A fault of a board lasts; all else must have been near."""
    began, over = attempt.began - AROUND, (attempt.ended or attempt.began) + AROUND
    boards = list(_boards(evidence, attempt))
    for board in boards:
        yield any(at <= over for at, _ in evidence.bench.faults.get(board.number, ()))
        yield any(_pulled_in(at, attempt) for at in evidence.bench.pulls.get(board.number, ()))
        yield any(at <= over for at, _ in evidence.story.disturbed.get(board.number, ()))
    refused = {each.key for ledger in evidence.ledgers for each in ledger.spares}
    for key in attempt.texts("CSRReceived", "key"):
        yield key in refused
        yield any(began <= at <= over for at in evidence.pki.disturbed.get(key, ()))
    yield any(start <= over and end >= began for start, end, _ in evidence.story.troubles)
    if not boards:  # nobody has seen which board it was
        yield any(began <= at <= over for faults in evidence.bench.faults.values() for at, _ in faults)


def _pulled_in(at: float, attempt: Attempt) -> bool:
    """Whether the board went during the attempt, and not only after it, as each board does."""
    return attempt.began - STAMPS <= at <= (attempt.ended or at) + SAME_CLOCK


def _boards(evidence: Evidence, attempt: Attempt) -> Iterator[Board]:
    """The board that the attempt named, and the one whose probe it used."""
    for board in (evidence.by_uid.get(attempt.uid or ""), evidence.by_probe.get(attempt.probe)):
        if board is not None:
            yield board


def followed(evidence: Evidence) -> Iterator[Violation]:
    """Each board that no person has taken off the line has a pass; an id that the bench has feigned is of no board."""
    stories = by_board(evidence)
    scrapped = {uid for ledger in evidence.ledgers for uid in ledger.scrapped}
    for uid, attempts in stories.items():
        board = evidence.by_uid.get(uid)
        if uid in scrapped | evidence.feigned or (board is not None and board.number in evidence.story.away):
            continue
        verdicts = [each.verdict for each in attempts]
        if "pass" not in verdicts:
            story = ", ".join(f"{each.verdict} by {each.fault}" for each in attempts)
            yield Violation(Promise.FOLLOWED, f"{uid} was never passed: {story}")
    for board in evidence.boards:
        if (
            board.uid not in stories
            and board.number in evidence.bench.seated
            and board.number not in evidence.story.away
        ):
            yield Violation(Promise.FOLLOWED, f"board {board.number} was seated, and no attempt is on it")


def sound(evidence: Evidence) -> Iterator[Violation]:
    """The file is sound, and its sums are those of its rows."""
    for ledger in evidence.ledgers:
        yield from (Violation(Promise.LEDGER_SOUND, f"{ledger.path.parent.name}: {each}") for each in ledger.mistakes)
        for name, number in _sums(ledger).items():
            if ledger.totals[name] != number:
                yield Violation(
                    Promise.LEDGER_SOUND,
                    f"{ledger.path.parent.name}: {ledger.totals[name]} {name} in its totals, and {number} in its rows",
                )
        if ledger.unfolded:
            yield Violation(
                Promise.NOTHING_LEFT,
                f"{ledger.path.parent.name}: {ledger.unfolded} bytes of write-ahead log at the end",
            )


def _sums(ledger: StationLedger) -> dict[str, int]:
    """The ledger's totals as its rows add up to them; first-pass yield is that of each board's first judged attempt."""
    counted = Counter(each.verdict for each in ledger.attempts)
    firsts: dict[str, str] = {}
    for attempt in ledger.attempts:
        if attempt.uid is not None and not attempt.laboratory and attempt.verdict in {"pass", "fail"}:
            firsts.setdefault(attempt.uid, attempt.verdict)
    return {
        "attempts": len(ledger.attempts),
        "passed": counted["pass"],
        "failed": counted["fail"],
        "void": counted["void"],
        "units": len(ledger.identities),
        "judged": len(firsts),
        "passed_first": sum(verdict == "pass" for verdict in firsts.values()),
        "laboratory": sum(attempt.laboratory for attempt in ledger.attempts),
    }


def _attempts(evidence: Evidence) -> Iterator[Attempt]:
    return (each for ledger in evidence.ledgers for each in ledger.attempts)
