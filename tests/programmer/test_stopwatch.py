# SPDX-License-Identifier: Apache-2.0
"""The moments of a run, taken as its lines come, on recorded output."""

from collections.abc import Iterator
from itertools import count

import pytest

from station.adapters.programmer.stopwatch import Laps, Stopwatch
from tests.builders.transcripts import lines

RUN = lines("2.19-read-write")


def at(*words: str) -> list[float]:
    """The moments of the lines that begin so: each line comes a second after the one before."""
    return [float(second) for second, line in enumerate(RUN, 1) if line.startswith(words)]


@pytest.fixture
def stopwatch() -> Stopwatch:
    seconds: Iterator[int] = count()
    return Stopwatch(lambda: float(next(seconds)))


def told(stopwatch: Stopwatch, said: tuple[str, ...] = RUN) -> Laps:
    stopwatch.run_began(["programmer"])
    for line in said:
        stopwatch.run_said(line)
    stopwatch.run_ended(0)
    return stopwatch.last


def test_every_moment_of_a_run_is_that_of_its_line(stopwatch: Stopwatch) -> None:
    laps = told(stopwatch)
    assert (laps.began, laps.spoke, laps.ended) == (0.0, 1.0, len(RUN) + 1.0)
    assert [laps.connected] == at("Device ID")
    assert [laps.recognised] == at("0x1FFF7590")
    assert laps.proofs == at("Data read", "File download complete", "Download verified")
    assert [laps.reset] == at("MCU Reset")
    assert laps.started is None


def test_lines_that_are_printed_twice_have_their_first_moment(stopwatch: Stopwatch) -> None:
    """As version 2.18 prints some."""
    twice = tuple(line for each in RUN for line in (each, each))
    laps = told(stopwatch, twice)
    assert laps.proofs == [2 * moment - 1 for moment in at("Data read", "File download complete", "Download verified")]


def test_a_run_of_which_nothing_was_said_has_no_moments(stopwatch: Stopwatch) -> None:
    laps = told(stopwatch, ())
    assert (laps.spoke, laps.connected, laps.recognised, laps.proofs, laps.reset) == (None, None, None, [], None)
    assert not laps.told_at_once


def test_a_programmer_that_says_everything_at_its_end_is_noticed() -> None:
    """Such a run tells nothing but its whole time."""
    assert Laps(began=0.0, spoke=9.99, ended=10.0).told_at_once
    assert not Laps(began=0.0, spoke=0.25, ended=10.0).told_at_once


def test_bytes_from_before_count_no_more_once_the_board_is_listened_to_anew(stopwatch: Stopwatch) -> None:
    stopwatch.received(b"an earlier firmware")
    stopwatch.listen()
    with pytest.raises(ValueError, match="no byte"):
        _ = stopwatch.first_heard
    stopwatch.received(b"the first bytes")
    first = stopwatch.first_heard
    stopwatch.received(b"further ones")
    assert stopwatch.first_heard == first == 1.0
