# SPDX-License-Identifier: Apache-2.0
"""The operator's page tells what happens on a real line."""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from station.line.status import AndonStatus
from tests.builders.line import Line, recipe_with
from tests.line.standing_line import Standing

pytestmark = pytest.mark.line

WITHIN = 300.0
Data = dict[str, object]


class Page:
    """One open stream, and what it has told so far."""

    def __init__(self, stream: HTTPResponse) -> None:
        self._stream = stream
        self.told: dict[str, Data] = {}
        self.slots: dict[str, Data] = {}

    def event(self) -> tuple[str, Data]:
        """The next event."""
        fields: dict[str, str] = {}
        while line := self._stream.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            fields[name] = value
        name, data = fields["event"], json.loads(fields["data"])
        self.told[name] = data
        if name == "slot":
            self.slots[data["slot"]] = data
        if name == "snapshot":
            self.slots = {slot["slot"]: slot for slot in data["slots"]}
        return name, data

    def until_slot(self, name: str, state: str) -> Data:
        """Reads on until the slot is in this state."""
        while self.slots.get(name, {}).get("state") != state:
            self.event()
        return self.slots[name]

    def until(self, wanted: str) -> Data:
        while True:
            name, data = self.event()
            if name == wanted:
                return data


@contextmanager
def opened(url: str) -> Iterator[Page]:
    address = urlsplit(url).netloc
    connection = HTTPConnection(address, timeout=WITHIN)
    try:
        connection.request("GET", "/api/v1/stream")
        yield Page(connection.getresponse())
    finally:
        connection.close()


def answer(url: str, path: str) -> tuple[int, Data]:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=WITHIN)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_the_page_follows_the_line(tmp_path: Path) -> None:
    """From a board that is plugged in to the verdict that outlives it, a hold, and the goodbye of a daemon that stops.

    The lamp shows the same, and its program ends before the daemon.
    """
    recipe = recipe_with(tmp_path, "[within]\nconfirm = 7.5")
    lamp = tmp_path / "lamp"
    command = ["/bin/sh", "-c", f"cat >> {shlex.quote(str(lamp))}; echo dark >> {shlex.quote(str(lamp))}"]
    andon = f"[andon]\ncommand = {json.dumps(command)}\n"
    with Line.standing(tmp_path / "line", boards=2, recipe=recipe, further=andon) as line:
        standing = Standing(line)
        page = line.status().page
        assert page is not None
        assert page.url is not None
        assert page.url in standing.station("status")
        assert answer(page.url, "/healthz") == (200, {"ok": True, "checks": {"loop": "ok"}})
        standing.until(lambda: answer(page.url or "", "/readyz")[0] == 200)
        with opened(page.url) as seen:
            board = seen.until("snapshot")
            assert (board["station"], board["recipe"], board["product"]) == (
                "demo-line",
                "lighting",
                "STM32WB Demo App",
            )
            assert {slot["state"] for slot in seen.slots.values()} == {"empty"}
            plans = seen.told["plans"] if "plans" in seen.told else seen.until("plans")
            assert {"step": "confirm", "seconds": 7.5} in plans["provision"]  # type: ignore[operator]  # no pass to learn from: the recipe's limit
            standing.bench("plug", "1", "--new")
            first = seen.until_slot("1", "running")
            assert first["step"] is not None
            passed = seen.until_slot("1", "pass")
            assert passed["fault"] is None
            standing.until(lambda: '"slots":{"1":"pass","2":"empty"}' in lamp.read_text())
            standing.bench("unplug", "1")
            taken = seen.until_slot("1", "empty")["taken"]
            assert isinstance(taken, dict)
            assert (taken["verdict"], taken["uid"], taken["attempt"]) == ("pass", passed["uid"], passed["attempt"])
            while seen.told.get("lot", {}).get("passed") != 1:
                seen.event()
            standing.station("slots", "hold", "2", "--reason", "pins are dirty")
            held = seen.until_slot("2", "out of service")
            assert (held["fault"], held["act"]) == ("slot.held", "technician")
            assert seen.until("last")["verdict"] == "out"
            status = line.status()
            page_now = status.page
            assert status.andon == AndonStatus(up=True, reason=None)
            assert page_now is not None
            assert page_now.listeners == 1
            standing.until(lambda: '"slots":{"1":"empty","2":"out of service"}' in lamp.read_text())
            line.stop()
            seen.until("bye")
        *told, end = lamp.read_text().splitlines()
        states = [state for state in map(json.loads, told) if state["event"] == "state"]
        assert end == "dark"
        assert states[0]["slots"] == {"1": "empty", "2": "empty"}
        assert states[-1]["slots"] == {"1": "empty", "2": "out of service"}
        assert states[-1]["hands"] == {"pass": 0, "fail": 0, "void": 0, "out of service": 1}


def test_a_boards_fault_and_the_lines_pause_are_told_with_who_acts(tmp_path: Path) -> None:
    with Line.standing(tmp_path / "line", boards=1) as line:
        standing = Standing(line)
        page = line.status().page
        assert page is not None
        with opened(page.url or "") as seen:
            standing.boards += 1
            standing.bench("fault", "--board", "1", "--at", "await_csr", "--what", "mute")
            standing.bench("plug", "1", "--new")
            failed = seen.until_slot("1", "fail")
            assert (failed["fault"], failed["act"]) == ("board.silent", "reject")
            while seen.told.get("last", {}).get("fault") != "board.silent":
                seen.event()
            standing.bench("unplug", "1")
            line.processes["pki"].kill()
            line.processes["pki"].wait()
            standing.bench("plug", "1", "--new")
            paused = seen.until("line")
            assert (paused["state"], paused["fault"], paused["act"]) == ("paused", "pki.unavailable", "wait")
            status, health = answer(page.url or "", "/readyz")
            assert (status, health["checks"]) == (
                503,
                {"line": "pki.unavailable", "ledger": "ok", "pki": "pki.unavailable"},
            )
