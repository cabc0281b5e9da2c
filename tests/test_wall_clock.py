# SPDX-License-Identifier: Apache-2.0
"""Who may contradict the clock, and by how much."""

from datetime import UTC, datetime, timedelta

import pytest

from station.faults.line import ClockContradicted
from station.line.wall_clock import WallClock

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def clock(ledger: timedelta | None = None, pki: timedelta | None = None) -> WallClock:
    """A clock beside a ledger and a PKI that are ahead of it by these times; None for one that reports no time."""
    last_entry = None if ledger is None else datetime.now(UTC) + ledger
    return WallClock(last_entry, lambda: None if pki is None else datetime.now(UTC) + pki)


@pytest.mark.parametrize("pki", [None, -23 * HOUR, 0 * HOUR, 23 * HOUR])
@pytest.mark.parametrize("ledger", [None, -4000 * DAY, 0 * DAY, 23 * HOUR])
def test_nobody_contradicts_it_by_a_day(ledger: timedelta | None, pki: timedelta | None) -> None:
    """A ledger's last entry may be years old."""
    clock(ledger, pki).check()


@pytest.mark.parametrize(
    ("ledger", "pki", "by"),
    [
        (25 * HOUR, None, "the ledger's last entry"),
        (25 * HOUR, 0 * DAY, "the ledger's last entry"),
        (0 * DAY, 25 * HOUR, "the PKI"),
        (None, -25 * HOUR, "the PKI"),
        (366 * DAY, 366 * DAY, "the PKI"),
    ],
)
def test_who_contradicts_it_is_named_with_both_times(ledger: timedelta | None, pki: timedelta | None, by: str) -> None:
    """The PKI comes first, since its time is the current one."""
    with pytest.raises(ClockContradicted) as caught:
        clock(ledger, pki).check()
    told = caught.value
    assert (told.code, told.by) == ("station.clock", by)
    offset = (pki if by == "the PKI" else ledger) or DAY
    difference = datetime.fromisoformat(told.time) - datetime.fromisoformat(told.clock)
    assert abs(difference - offset) < timedelta(minutes=1)


def test_a_persons_word_is_enough_where_there_is_no_pki() -> None:
    """The release is recorded once, with the next attempt."""
    wrong = clock(ledger=400 * DAY)
    wrong.accept(pki_needed=False)
    wrong.check()
    accepted = wrong.entered()
    assert accepted is not None
    assert accepted.pki == "none"
    assert wrong.entered() is None


@pytest.mark.parametrize("pki", [None, 2 * DAY, -2 * DAY])
def test_a_pki_that_does_not_bear_it_out_keeps_the_line_closed(pki: timedelta | None) -> None:
    """The release is refused as long as the PKI's time contradicts the clock."""
    wrong = clock(400 * DAY, pki)
    with pytest.raises(ClockContradicted, match="by the PKI"):
        wrong.accept(pki_needed=True)
    with pytest.raises(ClockContradicted):
        wrong.check()
    assert wrong.entered() is None


def test_a_clock_that_nobody_contradicts_has_nothing_to_accept() -> None:
    """If the clocks agree again meanwhile, the release is not recorded."""
    right = clock(0 * DAY, 0 * DAY)
    right.accept(pki_needed=True)
    assert right.entered() is None
