# SPDX-License-Identifier: Apache-2.0
"""The files of recordings: whole or not there, lost without harm, refused when damaged, and removed with the transcripts."""

import gzip
import os
from pathlib import Path

import pytest

from station.adapters.system import recordings, retention
from station.adapters.system.recordings import Recordings, RecordingUnreadable
from station.adapters.system.retention import Limits
from station.adapters.system.transcripts import RECORDING, place_of
from station.faults.slot import TTYUnavailable
from station.replay import tape
from station.replay.entries import fault_entry, fault_of
from station.replay.tape import Tape
from tests.builders.bench import RECIPE


def test_a_recording_is_read_as_it_was_written(tmp_path: Path) -> None:
    Recordings(tmp_path).keep(1234, [{"kind": "attempt"}, {"kind": "port"}])
    path = tmp_path / place_of(1234, RECORDING)
    assert recordings.read(path) == [{"kind": "attempt"}, {"kind": "port"}]
    assert [file.name for file in path.parent.iterdir()] == ["0001234.jsonl.gz"]


def test_a_recording_that_cannot_be_written_is_counted(tmp_path: Path) -> None:
    (tmp_path / "0000").write_text("no folder")
    kept = Recordings(tmp_path)
    kept.keep(1, [{"kind": "attempt"}])
    assert kept.lost == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"\x1f\x8b\x08", b"not JSON", b"[1]\n", gzip.compress(b"{}\n" * 9)[:-6], gzip.compress(b"\xff\xfe")],
    ids=["empty", "cut", "text", "a list", "cut in the middle", "no UTF-8"],
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(RecordingUnreadable, match="file"):
        recordings.read(tmp_path / "file")


def test_a_recording_is_removed_like_a_transcript(tmp_path: Path) -> None:
    Recordings(tmp_path).keep(7, [{"kind": "attempt"}])
    (tmp_path / place_of(7)).write_text("text")
    for file in (tmp_path / "0000").iterdir():
        os.utime(file, (0, 0))
    found = retention.kept(tmp_path)
    gone = retention.surplus(found, Limits(1.0, None), [], 1000.0)
    assert len(retention.remove(tmp_path, gone)) == 2
    assert list((tmp_path / "0000").iterdir()) == []


def test_a_board_that_says_much_fills_no_memory_and_the_recording_says_so() -> None:
    made = Tape(1, {}, RECIPE, lambda: 0.0)
    made.port_opened()
    for _ in range(100):
        made.received(b"x" * 4096)
    head, *others = made.entries()
    assert head["cut"] is True
    assert sum(len(str(entry.get("data", ""))) for entry in others) < 2 * tape.MOST_BYTES + 8192


def test_a_programmer_that_says_much_fills_no_memory() -> None:
    made = Tape(1, {}, RECIPE, lambda: 0.0)
    made.run_began(["cli"])
    for _ in range(10_000):
        made.run_said("x" * 100)
    head, run = made.entries()
    assert head["cut"] is True
    assert len(str(run["said"])) < 2 * tape.MOST_TEXT


def test_a_fault_comes_back_as_it_was() -> None:
    fault = TTYUnavailable("/dev/ttyACM0", "busy")
    again = fault_of(fault_entry(fault))
    assert type(again) is TTYUnavailable
    assert again.evidence == fault.evidence
