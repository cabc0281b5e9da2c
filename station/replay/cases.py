# SPDX-License-Identifier: Apache-2.0
"""A recording as a test of its own: a file for pytest, and beside it the recording with its recipe, which need nothing of the line's."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

from station.adapters.system import recordings
from station.adapters.system.transcripts import RECORDING
from station.domain.attempt import Passed, Verdict
from station.recipe.recipe import Recipe
from station.replay.recipes import recipe_entry, recipe_of
from station.replay.recording import Entry, Recording
from station.replay.replay import Replay, replay

TEXT = '''\
# SPDX-License-Identifier: Apache-2.0
"""Attempt {attempt} of a line, played back: what programmer, board and PKI said is in the file beside this one."""

from pathlib import Path

from station.replay.cases import end_of

RECORDING = Path(__file__).with_name({recording})


def test_attempt_{attempt}_ends_as_it_should() -> None:
    """The procedure of today comes to this verdict on the same answers."""
    assert end_of(RECORDING) == {wanted}
'''
PASSED = "pass"


def played(entries: Sequence[Entry], recipe: Recipe | None) -> Replay:
    """Replays under the recipe that the recording brings along, or else under this one; raises `EntryInvalid`."""
    brought = Recording.of(entries).recipe
    if brought is not None:
        recipe = recipe_of(brought)
    if recipe is None:
        raise ValueError("a recording without its recipe needs one")
    return replay(entries, recipe)


def end_of(path: Path) -> str:
    """How a recorded attempt ends today: `pass`, the fault's code, or the question that the recording does not answer."""
    replayed = played(recordings.read(path), None)
    return replayed.steps[-1].today or "nothing" if replayed.verdict is None else named(replayed.verdict)


def named(verdict: Verdict) -> str:
    return PASSED if isinstance(verdict, Passed) else verdict.fault


def is_ours(test: Path) -> bool:
    """Whether the file is such a test, which may be written anew."""
    return "station.replay.cases import end_of" in test.read_text(encoding="utf-8", errors="replace")


def write(test: Path, entries: Sequence[Entry], recipe: Recipe, wanted: str) -> Path:
    """Writes the test and its recording, and returns the recording's path; raises `HasSecrets`."""
    head, *others = (entry for entry in entries if entry.get("kind") != "recipe")
    path = test.with_suffix(RECORDING)
    lines = [json.dumps(entry) for entry in (head, recipe_entry(recipe), *others)]
    path.write_bytes(gzip.compress("\n".join((*lines, "")).encode(), mtime=0))
    number = Recording.of(entries).number
    text = TEXT.format(attempt=number, recording=json.dumps(path.name), wanted=json.dumps(wanted))
    test.write_text(text, encoding="utf-8")
    return path
