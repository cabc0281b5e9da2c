# SPDX-License-Identifier: Apache-2.0
"""What several stations know together: the centre's tables, as files, against the stations' ledgers, the boards and the PKI's list. Pure."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from tests.campaign.evidence import Evidence
from tests.campaign.referee.ledgers import Attempt
from tests.campaign.referee.units import burned, by_board
from tests.campaign.referee.violation import Promise, Violation

PASSED = 4  # the highest rank of a unit
SECOND_DAC = "dac.second"  # the anomaly of a serial number that two certificates have, or a key
Row = Mapping[str, object]


def passes(evidence: Evidence) -> Iterator[Violation]:
    """No unit has passed at the centre that no station has passed."""
    passed = {uid for uid, attempts in by_board(evidence).items() if any(each.verdict == "pass" for each in attempts)}
    for unit in evidence.central("unit"):
        if (unit["rank"] == PASSED or unit["verdict"] == "pass") and plain(unit["uid"]) not in passed:
            yield Violation(
                Promise.NO_FALSE_PASS, f"the centre calls {plain(unit['uid'])} passed, and no station has passed it"
            )


def nothing_twice(evidence: Evidence) -> Iterator[Violation]:
    """The centre has each serial number, index and certificate of one unit, and each unit with one serial number but burned ones."""
    never = burned(evidence)
    for table, of, names in (
        ("identity", "uid", ("serial_number",)),
        ("identity", "uid", ("lot", "idx")),
        ("identity", "serial_number", ("uid",)),
        ("certificate", "uid", ("dac_serial",)),
        ("block", "station", ("lot", "number")),
    ):
        owners: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for row in (each for each in evidence.central(table) if each.get("serial_number") not in never):
            owners[tuple(plain(row[name]) for name in names)].add(plain(row[of]))
        for value, those in owners.items():
            if len(those) > 1:
                what = f"{' '.join(names)} {' '.join(value)} of {' and '.join(sorted(those))}"
                yield Violation(Promise.NO_IDENTITY_TWICE, f"the centre has {what}")


def once(evidence: Evidence) -> Iterator[Violation]:
    """Each unit that a station has passed is at the centre once, by its serial number; and nobody else's is."""
    if not evidence.has_centre:
        return
    rows = Counter(plain(unit["uid"]) for unit in evidence.central("unit"))
    units = {plain(unit["uid"]): unit for unit in evidence.central("unit")}
    never = burned(evidence)
    rows_of = (row for row in evidence.central("identity") if row["serial_number"] not in never)
    numbers = {plain(row["uid"]): row["serial_number"] for row in rows_of}
    for uid, times in rows.items():
        if times > 1:
            yield Violation(Promise.CENTRE, f"{uid} is there as {times} units")
    for uid, attempts in by_board(evidence).items():
        board, unit = evidence.by_uid.get(uid), units.get(uid)
        if unit is None:
            yield Violation(Promise.CENTRE, f"it does not know {uid}, on which a station has worked")
            continue
        if attempts[-1].verdict == "pass" and unit["rank"] != PASSED:
            yield Violation(Promise.CENTRE, f"{attempts[-1].name} has passed {uid}, whose rank there is {unit['rank']}")
        if board is not None and board.serial_number is not None and numbers.get(uid) != board.serial_number:
            yield Violation(
                Promise.CENTRE, f"{uid} is {numbers.get(uid)} there, and {board.serial_number} on the board"
            )
    for uid in units.keys() - by_board(evidence).keys():
        yield Violation(Promise.CENTRE, f"it has the unit {uid}, on which no station has worked")


def told(evidence: Evidence) -> Iterator[Violation]:
    """The centre has each attempt once, with the station's verdict."""
    if not evidence.has_centre:
        return
    names = {str(row["id"]): str(row["name"]) for row in evidence.central("station")}
    there: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in evidence.central("attempt"):
        there[names[str(row["station"])], int(str(row["number"]))].append(row)
    for ledger in evidence.ledgers:
        for attempt in ledger.attempts:
            yield from _told_wrong(attempt, there.pop((attempt.station, attempt.id), []))
    for station, number in there:
        yield Violation(Promise.CENTRE, f"it has attempt {number} of {station}, which no ledger has")


def heard(evidence: Evidence) -> Iterator[Violation]:
    """The centre has each journal to its end, and nothing in one contradicts another."""
    if not evidence.has_centre:
        return
    names = {str(row["id"]): str(row["name"]) for row in evidence.central("station")}
    heads = {
        (names[str(row["station"])], int(str(row["number"]))): (int(str(row["next_line"])) - 1, plain(row["head"]))
        for row in evidence.central("incarnation")
    }
    for ledger in evidence.ledgers:
        for incarnation, end in ledger.journals.items():
            if heads.get((ledger.station, incarnation)) != end:
                yield Violation(
                    Promise.CENTRE,
                    f"the journal of {ledger.station} ends with line {end[0]}, and there with another",
                )
    repeated = {f"{number:X}" for number in evidence.pki.repeated}
    for row in evidence.central("anomaly"):
        if row["kind"] == SECOND_DAC and repeated & set(str(row["subject"]).split()):
            continue  # the PKI's doing, of which a person has to decide
        yield Violation(Promise.CENTRE, f"anomaly {row['kind']} of {row['subject']}: {json.dumps(row['detail'])}")


def _told_wrong(attempt: Attempt, rows: Sequence[Row]) -> Iterator[Violation]:
    if attempt.verdict is not None and len(rows) != 1:
        yield Violation(Promise.CENTRE, f"it has {attempt.name} {len(rows)} times")
    ours = (attempt.verdict, attempt.fault, attempt.uid)
    for row in rows:
        theirs = (row["verdict"], row["fault"], plain(row["uid"]) if row["uid"] else None)
        if ours != theirs:
            yield Violation(Promise.CENTRE, f"{attempt.name} is {ours}, and there {theirs}")


def counted(evidence: Evidence) -> Iterator[Violation]:
    """The centre's sums are those of its attempts."""
    summed = Counter[tuple[str, ...]]()
    for row in evidence.central("yield"):
        summed[_key(row)] += int(str(row["attempts"]))
    rows = Counter(_key(row) for row in evidence.central("attempt") if not row["laboratory"])
    for key in summed.keys() | rows.keys():
        if summed[key] != rows[key]:
            yield Violation(
                Promise.CENTRE, f"it counts {summed[key]} attempts of {', '.join(key)}, and has {rows[key]}"
            )


def _key(row: Row) -> tuple[str, ...]:
    return tuple(str(row[name] or "") for name in ("station", "slot", "verdict", "fault"))


def certificates(evidence: Evidence) -> Iterator[Violation]:
    """The centre's certificates are the PKI's, and each that a station has is there for the same key."""
    if not evidence.has_centre:
        return
    issued = {each.dac.hex(): each for each in evidence.pki.issued}
    rows = [(plain(row["key"]), plain(row["dac"])) for row in evidence.central("certificate")]
    there = dict(rows)
    for key, dac in rows:
        if dac not in issued or issued[dac].key != key:
            yield Violation(Promise.ISSUED, f"the centre has a certificate for key {key}, which the PKI has not issued")
    for ledger in evidence.ledgers:
        for each in ledger.certificates:
            if there.get(each.key) != each.dac.hex() and each.serial_number not in evidence.pki.repeated:
                yield Violation(
                    Promise.CENTRE, f"{ledger.station} has {each.serial_number:032X} for a key that has another there"
                )


def plain(value: object) -> str:
    r"""The hexadecimal digits of PostgreSQL's `\x2a`; any other value as text."""
    return str(value).removeprefix("\\x")
