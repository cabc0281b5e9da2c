# SPDX-License-Identifier: Apache-2.0
"""The options of questions to the ledger, and their times: typed as local time or with a zone, shown in local time."""

import re
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from station.domain.attempt import VERDICTS, Phase

STEPS = [phase.value for phase in Phase if phase not in VERDICTS and phase is not Phase.STARTED]
_TIME = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

JsonOption = Annotated[bool, typer.Option("--json", help="The same as one JSON object, with times in UTC.")]


class VerdictName(StrEnum):
    PASS = "pass"  # noqa: S105  a verdict
    FAIL = "fail"
    VOID = "void"


def _known_step(step: str | None) -> str | None:
    name = step.replace(" ", "_") if step is not None else None
    if name is not None and name not in STEPS:
        raise typer.BadParameter(f"there is no step {step!r}; the steps are {', '.join(STEPS)}")
    return name


SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="TIME",
        show_default=False,
        help='Attempts that began then or later: "10:00", 2026-11-23, "2026-11-23 10:00" or 2026-11-23T09:00Z.',
    ),
]
UntilOption = Annotated[
    str | None,
    typer.Option(
        "--until", metavar="TIME", show_default=False, help="Attempts that began before; a date includes its whole day."
    ),
]
SlotOption = Annotated[str | None, typer.Option("--slot", help="Attempts at this slot.", show_default=False)]
VerdictOption = Annotated[
    VerdictName | None, typer.Option("--verdict", help="Attempts with this verdict.", show_default=False)
]
FaultOption = Annotated[
    str | None, typer.Option("--fault", help="Attempts with this fault, as board.silent.", show_default=False)
]
LotOption = Annotated[str | None, typer.Option("--lot", help="Attempts for this lot.", show_default=False)]
StepOption = Annotated[
    str | None,
    typer.Option(
        "--step", help="Attempts that ended at this step, as await_csr.", callback=_known_step, show_default=False
    ),
]


def period(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """Reads both times; raises `BadParameter`. A time without a date is its latest occurrence, or the next after `since`."""
    now = datetime.now().astimezone()
    begin = None if since is None else _moment("--since", since, now)
    if until is None:
        return begin, None
    end = _moment("--until", until, now)
    if _TIME.fullmatch(until) and begin is not None:
        end = _on_day_of(begin, end.time())
        if end <= begin:
            end = _on_day_of(begin + timedelta(days=1), end.time())
    if _DATE.fullmatch(until):
        end = _on_day_of(end + timedelta(days=1), time())
    if begin is not None and end <= begin:
        raise typer.BadParameter(f"--until {local(end)} is not later than --since {local(begin)}")
    return begin, end


def local(moment: datetime | None) -> str:
    """The moment in this computer's time zone, with the zone; empty for None."""
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def counted(number: int, noun: str) -> str:
    """`1 attempt`, `2 attempts`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _moment(option: str, typed: str, now: datetime) -> datetime:
    try:
        if _TIME.fullmatch(typed):
            clock = time.fromisoformat(typed.zfill(5) if typed.count(":") == 1 else typed.zfill(8))
            today = _on_day_of(now, clock)
            return today if today <= now else _on_day_of(now - timedelta(days=1), clock)
        return datetime.fromisoformat(typed).astimezone()
    except (ValueError, OverflowError) as exc:
        raise typer.BadParameter(
            f'{option} {typed!r} is no time; write "10:00", 2026-11-23, "2026-11-23 10:00" (local time) '
            "or 2026-11-23T09:00Z (UTC)"
        ) from exc


def _on_day_of(day: datetime, clock: time) -> datetime:
    return datetime.combine(day.astimezone().date(), clock).astimezone()
