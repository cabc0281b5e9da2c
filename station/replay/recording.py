# SPDX-License-Identifier: Apache-2.0
"""One attempt's recording, read: the answers by the question, the programmer's runs, the port's bytes, and the way the attempt went. Pure."""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from station.domain.attempt import (
    Event,
    LaboratoryUnit,
    Phase,
    StepFinished,
    StepStarted,
    UnitIdentified,
    Verdict,
)
from station.link.frames import FrameReader
from station.link.messages import Question
from station.replay.entries import FORMAT, EntryInvalid, bytes_of, event_of

Entry = Mapping[str, object]
LONGEST = 10_000_000  # seconds: no attempt and no deadline lasts as long


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes that passed the open port; None: it was lost."""

    at: float
    sent: bool
    data: bytes | None


@dataclass(slots=True)
class Port:
    """One opening of the board's port."""

    entry: Entry
    traffic: list[Traffic] = field(default_factory=list)


@dataclass(slots=True)
class Run:
    """One run of the programmer, and what it read into files."""

    entry: Entry
    reads: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class Recording:
    """`way` are the attempt's events; that of a step's end has no seconds."""

    head: Entry
    recipe: Entry | None = None
    way: list[Event] = field(default_factory=list)
    steps: deque[float] = field(default_factory=deque)
    answers: dict[str, deque[Entry]] = field(default_factory=lambda: defaultdict(deque))
    runs: deque[Run] = field(default_factory=deque)
    ports: deque[Port] = field(default_factory=deque)
    requests: deque[bytes] = field(default_factory=deque)
    cancelled: float | None = None
    ended: float = 0.0

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> "Recording":
        """Raises `EntryInvalid`."""
        head, *others = entries
        if head.get("kind") != "attempt" or head.get("format") != FORMAT:
            raise EntryInvalid(f"it begins with {head.get('kind')} of format {head.get('format')}, not with an attempt")
        made = cls(head)
        for number, entry in enumerate(others, 2):
            try:
                made._take(entry)
            except (LookupError, TypeError, ValueError) as exc:
                raise EntryInvalid(f"line {number}: {type(exc).__name__} {exc}") from exc
        if made.verdict is None:
            raise EntryInvalid("it ends without a verdict")
        return made

    def _take(self, entry: Entry) -> None:  # noqa: C901  a case a kind of entry
        at = moment(entry.get("at", 0))
        match entry["kind"]:
            case "step":
                self.way.append(StepStarted(Phase(str(entry["step"]))))
                self.steps.append(at)
            case "step_ended":
                self.way.append(StepFinished(Phase(str(entry["step"])), 0))
            case "event" | "verdict":
                self.way.append(event_of(entry))
                self.ended = at
            case "answer":
                self.answers[str(entry["question"])].append(entry)
            case "request":
                self.requests.append(bytes_of(entry["csr"]))
            case "run":
                self.runs.append(Run(entry))
            case "read":
                self.runs[-1].reads.append(entry)
            case "port":
                self.ports.append(Port(entry))
            case "sent" | "received" | "lost" as kind:
                data = None if kind == "lost" else bytes_of(entry["data"])
                self.ports[-1].traffic.append(Traffic(at, kind == "sent", data))
            case "cancelled":
                self.cancelled = at
            case "recipe":
                self.recipe = entry

    @property
    def number(self) -> int:
        number = self.head.get("attempt")
        return number if isinstance(number, int) and number > 0 else 0

    @property
    def verdict(self) -> Verdict | None:
        last = self.way[-1] if self.way else None
        return last if isinstance(last, Verdict) else None

    @property
    def is_sample(self) -> bool:
        """Whether the board was taken for a sample as soon as it was identified."""
        return isinstance(self._after_identification, LaboratoryUnit)

    @property
    def stopped_at_identification(self) -> Verdict | None:
        """The verdict, if the line and not the procedure ended the attempt once it knew the board."""
        return after if isinstance(after := self._after_identification, Verdict) else None

    @property
    def _after_identification(self) -> Event | None:
        places = [at for at, event in enumerate(self.way) if isinstance(event, UnitIdentified)]
        return self.way[places[0] + 1] if places and places[0] + 1 < len(self.way) else None

    @property
    def nonces(self) -> list[bytes]:
        """The nonces that the board was asked to sign, each once however often the question was repeated."""
        found: dict[tuple[int, int], bytes] = {}
        for opening, port in enumerate(self.ports):
            reader = FrameReader()
            for piece in port.traffic:
                for frame in reader.feed(piece.data or b"") if piece.sent else ():
                    if isinstance(frame, bytes) and frame[0] == Question.PROVE:
                        found[opening, frame[1]] = frame[2:]
        return list(found.values())


def moment(value: object) -> float:
    """Seconds in an entry."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST:
        raise EntryInvalid(f"{str(value)[:40]!a} where seconds are expected")
    return float(value)
