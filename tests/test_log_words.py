# SPDX-License-Identifier: Apache-2.0
"""docs/log.md lists every event of the log with its keys."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

from station.domain.attempt import Attempt, Phase
from station.domain.work_order import Traced
from station.interfaces import BoardArrived
from station.line.canonical import finished
from station.line.states import Outcome
from tests.builders.log_words import OF_AN_ATTEMPT, OF_EVERY_LINE, events, kinds, rows, unlisted

ROOT = Path(__file__).parent.parent
EVENT = re.compile(r"[a-z]+\.[a-z_]+")
WRITERS = {"debug", "info", "warning", "error", "exception", "log", "write"}


def written() -> dict[str, set[str]]:
    """The events that the source writes, with the keys that stand at the call."""
    found: dict[str, set[str]] = defaultdict(set)
    for source in (ROOT / "station").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr=writer) | ast.Name(id=writer)) if writer in WRITERS:
                    names = [each.value for each in node.args if isinstance(each, ast.Constant)]
                    keys = {keyword.arg for keyword in node.keywords if keyword.arg} - {"exc_info"}
                case ast.Dict(keys=[ast.Constant(value="event"), *_], values=[ast.Constant(value=name), *_]):
                    names = [name]
                    keys = {str(key.value) for key in node.keys if isinstance(key, ast.Constant)} - {"event"}
                case _:
                    continue
            for name in names:
                if isinstance(name, str) and EVENT.fullmatch(name):
                    found[name] |= keys
    attempt = Outcome(1, BoardArrived("usb-1", "066CFF", "tty"), Attempt(phase=Phase.PASSED), None, 1.0)
    found["attempt.finished"] |= finished(attempt, Phase.LOCK, "lamp", Traced("L1", "WO-1")).keys()
    return dict(found)


def test_every_event_and_its_keys_are_documented() -> None:
    assert events() == written()


def test_every_key_is_explained_and_none_besides() -> None:
    explained = [key.strip("`") for key, *_ in rows("Keys")]
    assert len(explained) == len(set(explained))
    assert set(explained) == (OF_EVERY_LINE | OF_AN_ATTEMPT).union(*written().values())
    assert set(kinds().values()) <= {"text", "number", "time", "object", "list"}


LINE: dict[str, object] = {
    "time": "2026-11-26T01:25:45Z",
    "milliseconds": 7,
    "level": "info",
    "event": "attempt.finished",
    "slot": "4",
    "verdict": "fail",
    "question": "HELLO",
    "within_seconds": 2.0,
    "fault_reason": "it has none",
}


def test_a_line_with_the_documented_words_passes() -> None:
    assert list(unlisted(LINE)) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"event": "attempt.ended"}, "attempt.ended: no such event"),
        ({"colour": "red"}, "attempt.finished: no such key: colour"),
        ({"seconds": "2.0"}, "attempt.finished: seconds is no number: '2.0'"),
        ({"seconds": True}, "attempt.finished: seconds is no number: True"),
        ({"within_seconds": "2"}, "attempt.finished: within_seconds is no number: '2'"),
        ({"slot": 4}, "attempt.finished: slot is no text: 4"),
        ({"steps": []}, "attempt.finished: steps is no object: []"),
        ({"time": "2026-11-26T01:25:45.5Z"}, "attempt.finished: time is no time: '2026-11-26T01:25:45.5Z'"),
        ({"time": "2026-11-26T01:25:45+00:00"}, "attempt.finished: time is no time: '2026-11-26T01:25:45+00:00'"),
        ({"traceback": []}, "attempt.finished: no such key: traceback"),
    ],
    ids=str,
)
def test_a_line_with_other_words_is_told(change: dict[str, object], told: str) -> None:
    """The log of every line test is checked so."""
    assert list(unlisted(LINE | change)) == [told]


def test_a_line_without_a_key_of_every_line_is_told() -> None:
    assert list(unlisted({"event": "line.draining", "time": LINE["time"], "level": "info"})) == [
        "line.draining: without milliseconds"
    ]
