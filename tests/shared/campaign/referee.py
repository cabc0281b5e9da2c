# SPDX-License-Identifier: Apache-2.0
"""The referee: holds boards, PKI, stations' files and centre against one another. Imports nothing of the station."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from tests.shared.campaign.evidence import (
    CentreUnit,
    Evidence,
    Incarnation,
    StationFile,
    after,
)

T = TypeVar("T", bound=Hashable)

PASSED = 4  # the centre's highest rank of an identity


@dataclass(frozen=True)
class Violation:
    """A broken promise, and what breaks it."""

    promise: str
    what: str


@dataclass
class Told:
    """What all journals at the centre say, summed up."""

    lines: Counter[str] = field(default_factory=Counter)
    bytes_of_lines: int = 0
    bytes_packed: int = 0
    ended: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """Attempts in production by station, slot, verdict and fault."""
    ended_in: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Attempts by station and incarnation."""
    ended_on: Counter[str] = field(default_factory=Counter)
    """Attempts by unit."""
    taken: dict[tuple[str, int], set[tuple[str, str, int]]] = field(default_factory=lambda: defaultdict(set))
    """Unit, station and incarnation of each index that was taken, by lot and index."""


@dataclass
class Referee:
    """Judges the evidence once; `told` is filled by `journals`, which comes first."""

    evidence: Evidence
    told: Told = field(default_factory=Told)

    def violations(self) -> list[Violation]:
        rules: list[Callable[[], Iterator[Violation]]] = [
            self.journals,
            self.drained,
            self.nothing_twice,
            self.labels_hold,
            self.certificates,
            self.counted_once,
            self.indices,
            self.passed_units,
        ]
        return [violation for rule in rules for violation in rule()]

    # The journals.

    def journals(self) -> Iterator[Violation]:
        """Each journal at the centre has no gap, is linked by its hashes, and is the station's own, line by line."""
        files: dict[tuple[str, int], list[StationFile]] = defaultdict(list)
        for file in self.evidence.files:
            for number in file.journals():
                files[file.station, number].append(file)
        for incarnation in self.evidence.centre.incarnations():
            heads = [incarnation.base]
            yield from self._at_centre(incarnation, heads)
            for file in files[incarnation.station, incarnation.number]:
                yield from self._same(file, incarnation, heads)

    def _at_centre(self, incarnation: Incarnation, heads: list[bytes]) -> Iterator[Violation]:
        """Follows the segments, and adds the hash of each line to `heads`."""
        name = f"{incarnation.station}, incarnation {incarnation.number}"
        for segment in self.evidence.centre.segments(incarnation):
            texts = segment.texts
            if segment.first != len(heads) or segment.last != segment.first + len(texts) - 1:
                span = f"lines {segment.first} to {segment.last} after {len(heads) - 1}"
                yield Violation("journals have no gap", f"{name}: {span}")
            if len(heads) == 1:
                heads[0] = segment.previous  # the station's own, with which each of its files is compared
            if segment.previous != heads[-1]:
                yield Violation("journals are linked", f"{name}: line {segment.first} follows another hash")
            self.told.bytes_packed += len(segment.body)
            for text in texts:
                heads.append(after(heads[-1], text))
                self._take(incarnation, text)
            if heads[-1] != segment.head:
                yield Violation("journals are linked", f"{name}: the hash of line {segment.last} is another")
        if (incarnation.next_line, incarnation.head) != (len(heads), heads[-1]):
            yield Violation(
                "journals have no gap", f"{name}: the cursor is at {incarnation.next_line}, not {len(heads)}"
            )

    def _same(self, file: StationFile, incarnation: Incarnation, heads: list[bytes]) -> Iterator[Violation]:
        """The file's lines make the hashes of the centre, as far as both go."""
        name, follows = f"{file.station}, incarnation {incarnation.number}", True
        previous = file.base(incarnation.number)
        if previous is None:
            previous, follows = b"", False
        elif len(heads) > 1 and previous != heads[0]:
            yield Violation("the centre has the station's journal", f"{name} begins after another line")
        for line in file.lines(incarnation.number):
            if follows and after(previous, line.text) != line.hash:
                yield Violation(
                    "journals are linked", f"{file.path.parent.name}, {name}: line {line.number} in the file is another"
                )
            if line.number < len(heads) and line.hash != heads[line.number]:
                if incarnation.closed and self.evidence.disasters.get(file.station):
                    return  # what it told before it learned that it was put back, which the centre has refused
                yield Violation("the centre has the station's journal", f"{name}: line {line.number} differs")
                return
            previous, follows = line.hash, True

    def _take(self, of: Incarnation, text: bytes) -> None:
        told = self.told
        _number, _at, kind, _attempt, body = json.loads(text)
        told.lines[kind] += 1
        told.bytes_of_lines += len(text)
        if kind == "AttemptEnded":
            told.ended_in[of.station, of.number] += 1
            if body["uid"] is not None:
                told.ended_on[body["uid"]] += 1
            if not body["laboratory"]:
                told.ended[of.station, body["slot"], body["verdict"], body["fault"] or ""] += 1
        elif kind == "IdentityTaken":
            told.taken[body["lot"], body["index"]].add((body["uid"], of.station, of.number))

    def drained(self) -> Iterator[Violation]:
        """The centre has every line but those that a named disaster has taken."""
        at_centre = {(each.station, each.number): each for each in self.evidence.centre.incarnations()}
        for file in self.evidence.files:
            if file.lost:
                continue
            journals = file.journals()
            for number, (last, _) in journals.items():
                there = at_centre.get((file.station, number))
                has = there.next_line - 1 if there else 0
                superseded = number != max(journals) and self.evidence.disasters.get(file.station)
                if last > has and not superseded:
                    yield Violation(
                        "every journal is drained", f"{file.station}, incarnation {number}: {last - has} lines"
                    )

    # The boards.

    def nothing_twice(self) -> Iterator[Violation]:
        """No serial number and no pair was ever on two boards."""
        by_number, by_pair = defaultdict(set), defaultdict(set)
        for write in self.evidence.world.writes:
            by_number[write.serial_number].add(write.uid)
            by_pair[write.pair].add(write.uid)
        for number, boards in by_number.items():
            if len(boards) > 1:
                yield Violation("no serial number twice", f"{number} on {sorted(boards)}")
        for pair, boards in by_pair.items():
            if len(boards) > 1:
                yield Violation("no pair twice", f"{pair} on {sorted(boards)}")

    def labels_hold(self) -> Iterator[Violation]:
        """A passed unit keeps its serial number, its pair and its certificate."""
        for wrong in self.evidence.world.wrong:
            yield Violation("boards get what is theirs", f"{wrong['what']}: {wrong['uid']} by {wrong['by']}")
        for board in self.evidence.world.boards:
            if len({(each.serial_number, each.pair) for each in board.passes}) > 1:
                yield Violation("a passed unit keeps its identity", f"{board.uid}: {board.passes}")
            if len({each.dac for each in board.passes}) > 1:
                yield Violation("a passed unit keeps its certificate", f"{board.uid}: {board.passes}")

    def certificates(self) -> Iterator[Violation]:
        """Each certificate of the PKI is a unit's, a known second one, or one whose answer was lost."""
        centre = self.evidence.centre
        known, unanswered = centre.certificates(), centre.unanswered()
        seconds = {str(value) for kind, *more in centre.anomalies() if "dac" in kind for value in _texts(more)}
        lost = self._lost_with(StationFile.requested)
        for minted in self.evidence.world.minted:
            certificate = known.get(minted.key)
            if certificate is not None and certificate.dac == minted.dac:
                if certificate.uid != minted.uid:
                    yield Violation(
                        "certificates are their units'", f"{minted.dac}: {certificate.uid}, not {minted.uid}"
                    )
            elif unanswered[minted.key] > 0:
                unanswered[minted.key] -= 1
            elif minted.dac not in seconds and not any(
                life >= minted.life and minted.key in keys for life, keys in lost[minted.by]
            ):
                yield Violation("certificates are accounted for", f"{minted}")
        for board in self.evidence.world.boards:
            certificate = known.get(board.key or "")
            if (
                board.dac is not None
                and certificate is not None
                and (certificate.dac, certificate.uid) != (board.dac, board.uid)
            ):
                yield Violation(
                    "boards have the certificate that the centre names", f"{board.uid}: {board.dac}, {certificate}"
                )

    def passed_units(self) -> Iterator[Violation]:
        """The centre names the serial number of each passed unit, and knows that it has passed."""
        units = self.evidence.centre.units()
        lost = self._lost_with(StationFile.passed)
        for board in self.evidence.world.boards:
            if not board.passes:
                continue
            unit = units.get(board.uid, CentreUnit(None, 0, 0))
            if unit.rank < PASSED:
                first = board.passes[0]
                if not any(life >= first.life and board.uid in uids for life, uids in lost[first.by]):
                    yield Violation("the centre knows each pass", f"{board.uid} passed at {first.by}: {unit}")
            elif unit.serial_number != board.serial_number:
                yield Violation(
                    "the centre names the serial number on the board", f"{board.uid}: {board.serial_number}, {unit}"
                )

    def _lost_with(self, content: Callable[[StationFile], set[str]]) -> dict[str, list[tuple[int, set[str]]]]:
        """What was on lost disks and in files that older copies have replaced, by station, with the last run that wrote there."""
        lost: dict[str, list[tuple[int, set[str]]]] = defaultdict(list)
        for file in self.evidence.files:
            if file.lost:
                lost[file.station].append((file.life, content(file)))
        return lost

    # The sums.

    def counted_once(self) -> Iterator[Violation]:
        """The centre's sums are those of the journals."""
        centre, told = self.evidence.centre, self.told
        on_units = Counter({uid: unit.attempts for uid, unit in centre.units().items()})
        yield from _differences("yield", centre.yields(), told.ended)
        yield from _differences("attempts", centre.attempts(), told.ended_in)
        yield from _differences("attempts of units", on_units, told.ended_on)

    def indices(self) -> Iterator[Violation]:
        """Each index was taken once, from a block of that incarnation, and each block is in one incarnation's hands."""
        blocks, grid = self.evidence.centre.blocks(), self.evidence.centre.grid()
        identities = self.evidence.centre.identities()
        for (lot, index), takers in self.told.taken.items():
            if len(takers) > 1:
                yield Violation("no index twice", f"{lot} {index}: {sorted(takers)}")
            for uid, station, incarnation in takers:
                held = blocks.get((lot, index // grid[lot]))
                if held is None or held[:2] != (station, incarnation):
                    yield Violation("indices are from own blocks", f"{lot} {index} by {station}, {incarnation}: {held}")
                if len(takers) == 1 and identities.get((lot, index)) != uid:
                    yield Violation("the centre has each identity", f"{lot} {index} of {uid}")
        holders = defaultdict(set)
        for file in self.evidence.files:
            for lot, number, incarnation in file.blocks():
                holders[lot, number].add((file.station, incarnation))
        for (lot, number), those in holders.items():
            if len(those) > 1:
                yield Violation("no block twice", f"{lot} {number}: {sorted(those)}")


def _differences(what: str, summed: Counter[T], lines: Counter[T]) -> Iterator[Violation]:
    for key in summed.keys() | lines.keys():
        if summed[key] != lines[key]:
            yield Violation("what happened is counted once", f"{what} of {key}: {summed[key]}, not {lines[key]}")


def _texts(values: object) -> Iterator[object]:
    """All texts in nested lists and mappings."""
    match values:
        case dict():
            yield from _texts(list(values.values()))
        case list() | tuple():
            for value in values:
                yield from _texts(value)
        case _:
            yield values
