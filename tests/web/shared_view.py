# SPDX-License-Identifier: Apache-2.0
"""What a centre might say of a factory's stations."""

from datetime import UTC, datetime, timedelta

from station.web.central import Counts, SharedView, SharingStation

AT = datetime(2026, 11, 26, 12, 0, 30, tzinfo=UTC)


def view(stations: int = 3) -> SharedView:
    """Some stations at work; the second one is away, the third has nothing left."""
    return SharedView(
        asked_at=AT,
        since=AT.replace(hour=11, minute=0, second=0),
        stations=[_station(number) for number in (2, 3, 1, *range(4, stations + 1))],
        hours=[
            Counts(name=f"2026-11-26T{hour:02d}:00:00Z", passed=700 + 10 * hour, failed=hour, void=2)
            for hour in range(8, 12)
        ],
        slots=[
            Counts(name=f"line-{station} {slot}", passed=90, failed=slot, void=0)
            for slot in (4, 3, 2, 1)
            for station in range(1, min(stations, 5) + 1)
        ],
        faults=[
            Counts(name="flash.mismatch", passed=0, failed=7, void=0),
            Counts(name="tty.lost", passed=0, failed=0, void=3),
        ],
        anomalies=1,
    )


def _station(number: int) -> SharingStation:
    away, dry = number == 2, number == 3
    return SharingStation(
        name=f"line-{number}",
        own=number == 1,
        heard_at=AT - timedelta(minutes=17 if away else 0, seconds=1),
        lag_seconds=0.7 + number / 10,
        items_left=0 if dry else 12_000 - 256 * number,
        units_an_hour=0.0 if away else (210 + number) * 3600 / 3630,
        passed=0 if away else 210 + number,
        failed=0 if away else number % 5,
        void=number % 3,
    )
