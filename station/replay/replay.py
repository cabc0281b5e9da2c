# SPDX-License-Identifier: Apache-2.0
"""Plays one attempt back against the code of today, and says where it would now go another way."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from itertools import takewhile, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

from structlog.testing import capture_logs

from station.adapters.board.conversation import Deadlines as BoardDeadlines
from station.adapters.ledger import events
from station.adapters.programmer.run import Deadlines, Installation
from station.adapters.system.child import Budget, Patience
from station.adapters.system.secret_files import SecretFiles
from station.domain.attempt import (
    ClockAccepted,
    Event,
    Failed,
    StepFinished,
    StepStarted,
    Verdict,
    Voided,
)
from station.domain.policy import consequence
from station.domain.target import UID, Target
from station.faults import Fault
from station.faults.line import FlashLoaderMissing
from station.faults.slot import BoardRemoved, StationBug
from station.line.slot import verdict_of
from station.procedure.certificates import NoneForSamples
from station.procedure.job import Job
from station.procedure.whole import carry_out
from station.recipe.recipe import Recipe
from station.replay import clock
from station.replay.entries import EntryInvalid
from station.replay.played_bench import PlayedBench, PlayedProgrammer
from station.replay.played_records import PlayedAuthority, PlayedLedger, PlayedRoute
from station.replay.player import Player, StoppedByLine, Unanswered
from station.replay.recording import Entry, Recording, moment
from station.replay.stand_ins import with_stand_ins

SAME_MOMENT = 0.01  # seconds: times in a recording are rounded, and what it tells of was before the cancellation
LONGER = 7200.0  # seconds that a replay may last beyond its recording, by the clock that jumps


@dataclass(frozen=True, slots=True)
class Step:
    """One event of the attempt as recorded, and as today's code would journal it; None where there is none."""

    recorded: str | None
    today: str | None

    @property
    def same(self) -> bool:
        return self.recorded == self.today


@dataclass(frozen=True, slots=True)
class Replay:
    """The attempt's way then and now. `asked_otherwise`: what today's code asks in other words than it did."""

    attempt: int
    steps: tuple[Step, ...]
    asked_otherwise: tuple[str, ...]
    verdict: Verdict | None
    """Of today; None if the recording did not answer all questions."""

    @property
    def same(self) -> bool:
        return not self.asked_otherwise and all(step.same for step in self.steps)


def replay(entries: Sequence[Entry], recipe: Recipe) -> Replay:
    """Replays the recording with these entries; raises `EntryInvalid`, whatever is in them."""
    recording = Recording.of(entries)
    if recording.head.get("cut"):
        raise EntryInvalid("programmer or board said more than a recording keeps")
    try:
        with _folder(recording) as installation, capture_logs():
            return clock.run(_played(recording, with_stand_ins(recipe), installation))
    except (LookupError, TypeError, ValueError, AttributeError, AssertionError, ArithmeticError, OSError) as exc:
        if isinstance(exc, EntryInvalid):
            raise
        raise EntryInvalid(f"{type(exc).__name__} {exc}") from exc


async def _played(recording: Recording, recipe: Recipe, installation: Installation) -> Replay:
    recorded = list(recording.way)
    before = list(takewhile(lambda event: isinstance(event, ClockAccepted), recorded))
    player = Player(recording, recipe)
    installation = replace(installation, start=PlayedProgrammer(player).start)
    bench = PlayedBench(player, installation, _board_deadlines(recording.head))
    ledger = PlayedLedger(player, before)
    verdict, unanswered = await _worked(player, bench, ledger, recipe)
    today = [_shown(event) for event in ledger.way]
    if verdict is not None:
        today.append(_shown(verdict))
    elif unanswered:
        today.append(f"asks what the recording does not answer: {unanswered}")
    pairs = zip_longest(map(_shown, recorded), today)
    steps = tuple(Step(then, now) for then, now in pairs)
    return Replay(recording.number, steps, tuple(player.asked_otherwise), verdict)


async def _worked(
    player: Player, bench: PlayedBench, ledger: PlayedLedger, recipe: Recipe
) -> tuple[Verdict | None, str]:
    """Today's verdict, as a slot comes to it; or None and the question that the recording does not answer."""
    recording = player.recording
    loop = asyncio.get_running_loop()
    ends = recording.ended + LONGER if recording.cancelled is None else recording.cancelled + SAME_MOMENT

    async def is_sample(_target: Target) -> bool:
        return recording.is_sample and recipe.given is None

    authority = NoneForSamples(PlayedAuthority(player), ledger, recipe)
    route = PlayedRoute(player) if recording.answers["route"] else None
    relayed = recording.head.get("at_relay")
    at_relay = UID.parse(relayed) if isinstance(relayed, str) else None
    job = Job(bench, recipe, authority, ledger, is_sample, at_relay, route, player.now, player.nonce)
    scope = asyncio.timeout_at(loop.time() + ends)
    try:
        async with scope:
            await carry_out(job)
        player.check_not_cancelled()
    except TimeoutError:
        if not scope.expired():
            raise
        return (None, "how a wait ends") if recording.cancelled is None else (recording.verdict, "")
    except StoppedByLine:
        return recording.verdict, ""
    except Unanswered as asked:
        return None, str(asked)
    except Fault as fault:
        return _judged(fault, recording), ""
    except EntryInvalid:
        raise
    except Exception as exc:  # noqa: BLE001  as in the slot: our bug voids the attempt
        return verdict_of(StationBug(type(exc).__name__)), ""
    return verdict_of(None), ""


def _judged(fault: Fault, recording: Recording) -> Verdict:
    """A fault that may be the first sign of a pulled board is replaced if the board left, as in the slot."""
    then = recording.verdict
    if consequence(fault).departure and isinstance(then, Voided) and then.fault == BoardRemoved.code:
        return then
    return verdict_of(fault)


def _shown(event: Event) -> str:
    """An event in one line: without times, which no replay repeats, and without evidence, which may hold them."""
    match event:
        case StepStarted(step):
            return f"{step.value} begins"
        case StepFinished(step, _):
            return f"{step.value} done"
        case Failed(fault, _) | Voided(fault, _):
            return f"{event.on_disk.name} {fault}"
        case _:
            told = " ".join(f"{key}={value}" for key, value in events.body(event).items())
            return f"{event.on_disk.name} {told}".rstrip()


@contextmanager
def _folder(recording: Recording) -> Iterator[Installation]:
    """A programmer's installation in a folder that is removed again; its files hold stand-ins, no secrets."""
    then = recording.verdict
    with TemporaryDirectory(prefix="station-replay-") as name:
        folder = Path(name)
        used = _loader(recording)
        loader = folder / (used or "loader.stldr")
        if used is not None or not (isinstance(then, Voided) and then.fault == FlashLoaderMissing.code):
            loader.touch()
        with SecretFiles.opened("replay", {"RUNTIME_DIRECTORY": name}, in_memory=False) as scratch:
            yield Installation(folder / "cli", loader, scratch, folder / "locks", _deadlines(recording.head))


def _loader(recording: Recording) -> str | None:
    """The name of the external loader that the programmer was asked to use; None where no run got so far."""
    for run in recording.runs:
        command = run.entry["command"]
        if isinstance(command, list) and "-el" in command:
            return Path(str(command[command.index("-el") + 1])).name
    return None


def _deadlines(head: Entry) -> Deadlines:
    told = _table(head, "programmer")
    pauses, patience, output = told.get("retry_pauses"), _table(told, "patience"), _table(told, "output")
    if not isinstance(pauses, list):
        raise EntryInvalid("no retry_pauses")
    try:
        return Deadlines(
            connect_within=moment(told["connect_within"]),
            idle_within=moment(told["idle_within"]),
            internal_within=moment(told["internal_within"]),
            external_within=moment(told["external_within"]),
            bytes_per_second=moment(told["bytes_per_second"]),
            option_bytes_within=moment(told["option_bytes_within"]),
            start_within=moment(told["start_within"]),
            upgrade_within=moment(told["upgrade_within"]),
            probe_within=moment(told["probe_within"]),
            retry_pauses=tuple(map(moment, pauses)),
            patience=Patience(**{name: moment(value) for name, value in patience.items()}),
            output=Budget(**{name: int(moment(value)) for name, value in output.items()}),
        )
    except (KeyError, TypeError) as exc:
        raise EntryInvalid(f"deadlines of another version: {exc}") from exc


def _board_deadlines(head: Entry) -> BoardDeadlines:
    told = _table(head, "board")
    known = {field.name for field in fields(BoardDeadlines)}
    return BoardDeadlines(**{name: moment(value) for name, value in told.items() if name in known})


def _table(entry: Entry, name: str) -> Mapping[str, object]:
    value = entry.get(name)
    if not isinstance(value, Mapping):
        raise EntryInvalid(f"no table {name}")
    return value
