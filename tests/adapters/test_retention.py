# SPDX-License-Identifier: Apache-2.0
"""Old transcripts go by age and by size, the oldest first, and nothing else goes."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from station.adapters.system.retention import Kept, Limits, kept, remove, surplus
from station.adapters.system.transcripts import Transcripts, place_of
from station.config.sections import RetentionSection
from station.daemon.tidying import DAY, Tidying
from station.faults.line import ClockContradicted

NOW = 2_000_000_000.0
NO_LIMIT = Limits(None, None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "transcripts"


def written(folder: Path, attempt: int, days: float, size: int = 100) -> Path:
    """Writes an attempt's transcript as the station does, of this age in days and this size."""
    Transcripts(folder).recorder(attempt)("x" * (size - 1))
    path = folder / place_of(attempt)
    os.utime(path, (NOW - days * DAY, NOW - days * DAY))
    return path


def attempts(found: list[Kept]) -> list[int]:
    return [each.attempt for each in found]


def test_transcripts_above_the_age_go() -> None:
    found = [Kept(1, NOW - 11 * DAY, 9), Kept(2, NOW - 10 * DAY, 9), Kept(3, NOW - 9 * DAY, 9)]
    assert attempts(surplus(found, Limits(10 * DAY, None), (), NOW)) == [1]


def test_the_oldest_go_until_the_others_fit() -> None:
    found = [Kept(2, NOW - 1, 50), Kept(1, NOW - 3, 50), Kept(3, NOW - 2, 50)]
    assert attempts(surplus(found, Limits(None, 100), (), NOW)) == [1]
    assert attempts(surplus(found, Limits(None, 99), (), NOW)) == [1, 3]


def test_without_a_limit_none_goes() -> None:
    assert surplus([Kept(1, 0.0, 1 << 50)], NO_LIMIT, (), NOW) == []


def test_the_transcript_of_an_attempt_in_work_stays() -> None:
    """It stays even if nothing else can make room."""
    found = [Kept(1, NOW - 90 * DAY, 50), Kept(2, NOW, 50)]
    assert attempts(surplus(found, Limits(DAY, 10), {1}, NOW)) == [2]
    assert surplus(found, Limits(DAY, 10), {1, 2}, NOW) == []


def test_a_transcript_of_the_future_is_not_old() -> None:
    """The clock was set back."""
    assert surplus([Kept(1, NOW + 90 * DAY, 50)], Limits(DAY, None), (), NOW) == []


@pytest.mark.parametrize("attempt", [0, 1, 999, 1000, 12_345_678])
def test_every_attempts_transcript_is_found_and_removed(folder: Path, attempt: int) -> None:
    path = written(folder, attempt, days=1, size=123)
    (found,) = kept(folder)
    assert (found.attempt, found.changed, found.size) == (attempt, NOW - DAY, 123)
    assert remove(folder, [found]) == [found]
    assert not path.exists()
    assert remove(folder, [found]) == []


def test_files_that_are_not_the_stations_are_no_transcripts(folder: Path) -> None:
    """They have another name, another place, or are not files."""
    written(folder, 1, days=0)
    for name in ("note.txt", "0000001.txt.bak", "0000001.TXT", "1.txt", "0001000.txt"):
        (folder / "0000" / name).write_text("mine")
    for name in ("notes", "0000000.txt"):
        (folder / name).write_text("mine")
    (folder / "0000" / "0000002.txt").mkdir()
    (folder / "mine").mkdir()
    (folder / "mine" / "0000001.txt").write_text("mine")
    assert attempts(kept(folder)) == [1]


def test_no_link_is_followed_out_of_the_folder(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "0001000.txt").write_text("not to be touched")
    written(folder, 1, days=0)
    (folder / "0001").symlink_to(elsewhere)
    (folder / "0000" / "0000002.txt").symlink_to(elsewhere / "0001000.txt")
    assert attempts(kept(folder)) == [1]
    assert remove(folder, [Kept(1000, NOW, 1)]) == []  # the link took the folder's place after the look
    assert (elsewhere / "0001000.txt").exists()


def test_no_folder_is_no_transcripts(folder: Path) -> None:
    """No attempt has begun yet, or a file is in the folder's place."""
    assert (kept(folder), remove(folder, [Kept(1, NOW, 1)])) == ([], [])
    folder.write_text("a file")
    assert kept(folder) == []


def tidying(
    folder: Path, days: int = 0, mib: int = 0, at_work: tuple[int, ...] = (), clock: Callable[[], None] = lambda: None
) -> Tidying:
    settings = RetentionSection(transcript_days=days, transcripts_mib=mib)
    return Tidying(folder, lambda: settings, lambda: at_work, clock, lambda: NOW)


async def test_the_log_tells_once_what_was_removed(folder: Path) -> None:
    for attempt in (1, 2, 1001):
        written(folder, attempt, days=31, size=70)
    written(folder, 1002, days=29)
    with capture_logs() as lines:
        await tidying(folder, days=30, at_work=(2,)).once()
        await tidying(folder, days=30, at_work=(2,)).once()
    assert lines == [{"event": "transcripts.removed", "log_level": "info", "files": 2, "size": 140}]
    assert sorted(attempts(kept(folder))) == [2, 1002]


async def test_the_size_is_in_mib(folder: Path) -> None:
    for attempt in range(3):
        written(folder, attempt, days=9 - attempt, size=1 << 19)
    await tidying(folder, mib=1).once()
    assert sorted(attempts(kept(folder))) == [1, 2]


async def test_zero_keeps_all(folder: Path) -> None:
    written(folder, 1, days=10_000)
    await tidying(folder).once()
    assert attempts(kept(folder)) == [1]


async def test_nothing_goes_by_a_clock_that_is_contradicted(folder: Path) -> None:
    def contradicted() -> None:
        raise ClockContradicted("2036-01-01T00:00:00Z", "the PKI", "2026-01-01T00:00:00Z")

    written(folder, 1, days=10_000)
    await tidying(folder, days=1, clock=contradicted).once()
    assert attempts(kept(folder)) == [1]


async def test_what_cannot_be_removed_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next round tries again."""
    written(folder, 1, days=2)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "0000001.txt")

    with monkeypatch.context() as patched, capture_logs() as lines:
        patched.setattr(os, "unlink", refuse)
        await tidying(folder, days=1).once()
    assert lines == [
        {"event": "transcripts.unremoved", "log_level": "warning", "file": "0000001.txt", "reason": "Permission denied"}
    ]
    await tidying(folder, days=1).once()
    assert kept(folder) == []
