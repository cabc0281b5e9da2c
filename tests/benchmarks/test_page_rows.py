# SPDX-License-Identifier: Apache-2.0
"""The rows of the operator's page: each budget against its limit, and a line beside pages against the same line without."""

import json
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.figures import Row, Verdict
from benchmarks.listeners import listening
from benchmarks.page import Page, sizes
from benchmarks.page_rows import Pair, page_rows, pair_rows
from benchmarks.recording import Usage
from benchmarks.scripted import CHANGES, REAL, SLOTS, change
from station.web.models import Slot
from tests.benchmarks.test_results import recording

WITHIN = 60.0
PAGE = Page(
    first_paint=(0.2, 0.3, 0.9),
    live=(0.6, 0.5, 0.7),
    to_frame=tuple(number / 1000 for number in range(101)),
    gone={"SIGKILL": (0.05, 0.1), "SIGSTOP": (3.0, 4.1)},
    chromium=0.18,
    hub_quiet=0.004,
    hub_busy=0.021,
    sizes=sizes(),
)


def by_name(rows: list[Row]) -> dict[str, Row]:
    return {row.what: row for row in rows}


def test_each_budget_is_met_or_missed() -> None:
    rows = by_name(page_rows(PAGE))
    verdicts = {what: row.verdict for what, row in rows.items() if row.goal is not None}
    assert verdicts == {
        "first paint, empty cache": Verdict.MET,  # the median
        "64 tiles live": Verdict.MISSED,
        "event to frame, 120 events/s, 99 %": Verdict.MET,
        "Chromium without GPU, 64 slots at the pace of real boards": Verdict.MET,
        "colours gone after SIGKILL, slowest": Verdict.MET,
        "colours gone after SIGSTOP, slowest": Verdict.MISSED,
        "scripts, raw": Verdict.MET,
        "style, raw": Verdict.MET,
        "largest language, raw": Verdict.MET,
        "hub, 64 quiet slots, 5 listeners": Verdict.MET,
        "hub, 64 slots at the pace of real boards, 5 listeners": Verdict.MISSED,
    }
    assert rows["event to frame, 120 events/s, 99 %"].sample.median == pytest.approx(99)
    assert rows["event to frame, 120 events/s, median"].sample.median == pytest.approx(50)


def test_a_line_beside_pages_is_compared_with_the_run_before_or_after_it(tmp_path: Path) -> None:
    without, beside = (recording(tmp_path / str(wall), 8, wall) for wall in (20.0, 20.4))
    was = beside.usage["daemon"]
    daemon = Usage(cpu=was.cpu + 0.4, memory=was.memory, children=was.children)
    rows = by_name(pair_rows("eight", [Pair(without, replace(beside, usage={**beside.usage, "daemon": daemon}))]))
    worse = rows["eight: wall with five pages, over without"]
    assert (round(worse.sample.median, 3), worse.verdict) == (1.02, Verdict.MISSED)
    assert rows["eight: what five pages cost the daemon"].sample.median == pytest.approx(2.0, rel=0.01)
    assert "in-turn: wall with five pages, over without" not in by_name(pair_rows("in-turn", [Pair(without, beside)]))


def test_scripted_boards_go_through_every_step_and_verdict() -> None:
    told = [change("8", at) for at in range(CHANGES)]
    assert [slot.state for slot in told] == ["running"] * 8 + ["fail", "empty", "waiting"]
    assert all(isinstance(Slot.model_validate_json(slot.model_dump_json()), Slot) for slot in told)
    assert pytest.approx(SLOTS * CHANGES / 20) == REAL


def test_listeners_read_whatever_comes() -> None:
    """A server whose pages do not read would wait for them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        asked: list[str] = []

        def serve() -> None:
            for _ in range(2):
                stream, _ = server.accept()
                with stream:
                    asked.append(stream.recv(1 << 12).decode().splitlines()[0])
                    stream.sendall(b"x" * (1 << 20))

        thread = threading.Thread(target=serve)
        thread.start()
        with listening(f"http://127.0.0.1:{port}/", pages=2):
            thread.join(WITHIN)
            assert not thread.is_alive()
    assert asked == ["GET /api/v1/stream HTTP/1.1"] * 2


def test_rows_are_written_as_json() -> None:
    assert json.loads(json.dumps([row.as_json() for row in page_rows(PAGE)]))[0]["part"] == "page"
