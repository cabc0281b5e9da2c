# SPDX-License-Identifier: Apache-2.0
"""`station doctor` and `station config check` beside a running line."""

import json
from pathlib import Path

import pytest

from tests.builders.line import Line
from tests.line.standing_line import Standing

pytestmark = [pytest.mark.line, pytest.mark.timeout(120)]


def test_a_running_line_is_examined_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PKI, programmer, ledger and files are good; no probe is connected to, and the next board passes."""
    with Line.standing(tmp_path / "line", 1) as line:
        url = json.loads((line.folder / "pki" / "ready.json").read_text())["url"]
        monkeypatch.setenv("STATION__PKI__URL", url)
        assert line.command("config", "check").returncode == 0
        checked = json.loads(line.command("config", "check", "--json").stdout)
        assert (checked["schema"], checked["slots"], checked["problems"]) == (1, len(line.status().slots), [])
        found = json.loads(line.command("doctor", "--json").stdout)["findings"]
        states = {each["check"]: each["state"] for each in found}
        good = ("configuration", "recipe", "loader", "programmer", "PKI", "PAI", "ledger", "descriptors", "/dev/shm")
        assert {check: states[check] for check in good} == dict.fromkeys(good, "good"), found
        journal = [json.loads(text) for text in (line.folder / "bench.jsonl").read_text().splitlines()]
        assert not [entry for entry in journal if entry["event"] == "invocation"]
        standing = Standing(line)
        standing.bench("plug", "1")
        assert standing.wait(1, lambda slot: slot.state == "pass").verdict == "pass"
