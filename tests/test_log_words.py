# SPDX-License-Identifier: Apache-2.0
"""docs/log.md lists every event of the log with its keys."""

import ast
import re
from collections import defaultdict
from pathlib import Path

from station.domain.attempt import Attempt, Phase
from station.interfaces import BoardArrived
from station.line.canonical import finished
from station.line.states import Outcome

ROOT = Path(__file__).parent.parent
DOCUMENT = (ROOT / "docs" / "log.md").read_text(encoding="utf-8")
EVENT = re.compile(r"[a-z]+\.[a-z_]+")
WRITERS = {"debug", "info", "warning", "error", "exception", "log", "write"}
OF_EVERY_LINE = {"time", "milliseconds", "level", "event", "slot", "attempt", "uid"}


def rows(heading: str) -> list[list[str]]:
    section = DOCUMENT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


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
    found["attempt.finished"] |= finished(attempt, Phase.LOCK, "lamp", "L1").keys()
    return dict(found)


def test_every_event_and_its_keys_are_documented() -> None:
    documented = {event.strip("`"): set(re.findall(r"`(\w+)`", keys)) for event, keys, *_ in rows("Events")}
    assert documented == written()


def test_every_key_is_explained_and_none_besides() -> None:
    explained = [key.strip("`") for key, _ in rows("Keys")]
    assert len(explained) == len(set(explained))
    assert set(explained) == OF_EVERY_LINE.union(*written().values())
