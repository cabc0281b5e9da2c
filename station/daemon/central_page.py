# SPDX-License-Identifier: Apache-2.0
"""What the page of all stations shows, asked at the centre. Imported only with `[shared]`: it needs psycopg."""

from collections.abc import Callable, Iterable

from station.adapters.centre.look import Look, look
from station.adapters.centre.questions import YieldRow
from station.adapters.centre.trouble import CentreBroken, CentreUnreachable
from station.domain.numbers import natural
from station.web.central import Central, CentreAway, Counts, SharedView, SharingStation

WORST = 20  # slots


def central_of(reader: str | None, station: str) -> Central:
    """The way to the centre at the address `reader`, for the page of this station; without one it only says what to set."""
    return Central(None if reader is None else _looking(reader, station))


def _looking(reader: str, station: str) -> Callable[[], SharedView]:
    def ask() -> SharedView:
        try:
            return view_of(look(reader), station)
        except CentreUnreachable as exc:
            raise CentreAway(f"The centre does not answer: {exc}. The line goes on without it.") from exc
        except CentreBroken as exc:
            raise CentreAway(f"The centre refuses the question: {exc}. The line goes on without it.") from exc

    return ask


def view_of(seen: Look, station: str) -> SharedView:
    """The look as the page of `station` shows it."""
    hours = (seen.at - seen.since).total_seconds() / 3600
    none = YieldRow("", 0, 0, 0)
    found = []
    for each in seen.stations:
        recent = seen.recent.get(each.name, none)
        found.append(
            SharingStation(
                name=each.name,
                own=each.name == station,
                heard_at=each.heard_at,
                lag_seconds=seen.lags.get(each.name),
                items_left=each.items_left,
                units_an_hour=recent.passed / hours,
                passed=recent.passed,
                failed=recent.failed,
                void=recent.void,
            )
        )
    view = SharedView(
        asked_at=seen.at,
        since=seen.since,
        stations=found,
        hours=_counts(seen.hours),
        slots=_counts(sorted(seen.slots, key=lambda row: (-row.failed, -row.void, natural(row.name)))[:WORST]),
        faults=_counts(sorted(seen.faults, key=lambda row: (-row.failed, -row.void, row.name))),
        anomalies=seen.anomalies,
    )
    first = sorted(found, key=lambda each: (not view.needs_somebody(each), natural(each.name)))
    return view.model_copy(update={"stations": first})


def _counts(rows: Iterable[YieldRow]) -> list[Counts]:
    return [Counts(name=row.name, passed=row.passed, failed=row.failed, void=row.void) for row in rows]
