# SPDX-License-Identifier: Apache-2.0
"""SIGHUP makes the daemon read its configuration again: it applies what it can, and says what waits for a restart."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders.line import Line
from tests.builders.station_demo import SHORT_DEADLINES
from tests.line.standing_line import Standing

BAD_CSR = "--at await_csr --what csr_bad_signature"

pytestmark = [pytest.mark.line, pytest.mark.timeout(900)]


@pytest.fixture
def standing(tmp_path: Path, secrets_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    for name, value in SHORT_DEADLINES.items():
        monkeypatch.setenv(name, value)
    with Line.standing(tmp_path / "line", 2) as line:
        yield Standing(line)


def told(standing: Standing, *events: str) -> list[dict[str, object]]:
    lines = (standing.line.folder / "logs" / "station.jsonl").read_text().splitlines(keepends=True)
    return [
        line for line in map(json.loads, (each for each in lines if each.endswith("\n"))) if line["event"] in events
    ]


def reloaded(standing: Standing, old: str = "", new: str = "") -> list[dict[str, object]]:
    """Replaces a text in line.toml, sends SIGHUP, and returns what the log then says about the configuration."""
    config = standing.line.folder / "line.toml"
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new, 1) if old else text + new)
    answers = ("config.reloaded", "config.refused")
    before = len(told(standing, *answers))
    standing.line.processes["daemon"].send_signal(signal.SIGHUP)
    standing.until(lambda: len(told(standing, *answers)) > before)
    return told(standing, *answers)[before:]


def names(lines: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(line["applied"], line["needs_restart"]) for line in lines]


def test_limits_deadlines_and_the_logs_level_are_applied(standing: Standing) -> None:
    """With the new limit, the first board that fails takes its slot out of service."""
    assert names(reloaded(standing)) == [([], [])]
    assert standing.next_board(1, BAD_CSR).verdict == "fail"
    assert standing.slot(1).service == "in"
    assert names(reloaded(standing, "boards_in_a_slot = 0", "boards_in_a_slot = 1")) == [
        (["policy.boards_in_a_slot"], [])
    ]
    assert names(reloaded(standing, "[hotplug]", "connect_within = 120.5\n\n[hotplug]")) == [
        ([], [])
    ]  # the environment's
    assert names(reloaded(standing, "[hotplug]", "idle_within = 91\n\n[hotplug]")) == [(["programmer.idle_within"], [])]
    standing.next_board(1, BAD_CSR)
    assert standing.slot(1).service == "out"
    assert names(reloaded(standing, "[log]\n", '[log]\nlevel = "warning"\n')) == [(["log.level"], [])]
    assert standing.next_board(2).verdict == "pass"
    assert names(reloaded(standing, '"warning"', '"info"')) == [(["log.level"], [])]
    assert [(line["slot"], line["verdict"]) for line in told(standing, "attempt.finished")] == [
        ("1", "fail"),
        ("1", "fail"),
    ]
    assert standing.next_board(2).verdict == "pass"
    standing.until(lambda: len(told(standing, "attempt.finished")) == 3)


def test_what_waits_for_a_restart_is_named_each_time(standing: Standing) -> None:
    """The line goes on as it opened; a setting beside it that can be applied is applied."""
    name, slot = "station.name", "slot"
    lines = reloaded(standing, 'name = "demo-line"', 'name = "other-line"')
    assert names(lines) == [([], [name])]
    assert lines[0]["level"] == "warning"
    assert names(reloaded(standing, "[log]", "[board]\nport_free_within = 26\n\n[log]")) == [
        (["board.port_free_within"], [name])
    ]
    path = standing.slot(2).path
    assert names(reloaded(standing, path, f"{path}.1")) == [([], [name, slot])]
    assert standing.line.status().station == "demo-line"
    assert standing.next_board(2).verdict == "pass"


def test_a_mistake_changes_nothing_and_is_told_with_its_place(standing: Standing) -> None:
    """Boards pass as before, and the corrected file is applied."""
    config = standing.line.folder / "line.toml"
    lines = reloaded(standing, "boards_in_a_slot = 0\nslots = 0", "boards_in_a_slot = 1\nslots = -1")
    assert [(line["event"], line["file"], line["place"]) for line in lines] == [
        ("config.refused", str(config), "policy.slots")
    ]
    standing.next_board(1, BAD_CSR)
    assert standing.slot(1).service == "in"
    assert standing.next_board(2).verdict == "pass"
    assert names(reloaded(standing, "slots = -1", "slots = 2")) == [(["policy.boards_in_a_slot", "policy.slots"], [])]


def test_a_recipe_changes_only_with_a_restart(standing: Standing) -> None:
    """The files of recipe and images were read when the line opened."""
    recipe = standing.line.folder / "recipe.toml"
    shipped = standing.line.recipe
    text = shipped.read_text().replace('"../../', f'"{shipped.parents[2]}/')
    recipe.write_text(
        text.replace('"certification-declaration.der"', f'"{shipped.parent}/certification-declaration.der"')
    )
    assert names(reloaded(standing, json.dumps(str(shipped)), json.dumps(str(recipe)))) == [([], ["recipe"])]
    assert names(reloaded(standing)) == [([], ["recipe"])]
    assert standing.line.status().recipe == shipped.stem
    assert standing.next_board(1).verdict == "pass"


def test_old_transcripts_go_at_the_start_and_by_a_new_limit(standing: Standing) -> None:
    """The transcripts and recordings of newer attempts, and other files, stay."""
    standing.next_board(1)
    folder, kept = standing.line.folder / "transcripts" / "0000", {"0000001.txt", "0000001.jsonl.gz"}
    standing.until(lambda: {path.name for path in folder.iterdir()} == kept)
    for name, days in (("0000999.txt", 30), ("0000998.txt", 100), ("notes.txt", 100)):
        (folder / name).write_text("old")
        os.utime(folder / name, (time.time() - days * 86400,) * 2)
    reloaded(standing, "[log]", "[retention]\ntranscript_days = 20\n\n[log]")
    standing.until(lambda: bool(told(standing, "transcripts.removed")))
    assert [(line["files"], line["size"]) for line in told(standing, "transcripts.removed")] == [(2, 6)]
    assert {path.name for path in folder.iterdir()} == {*kept, "notes.txt"}
    standing.line.processes["daemon"].send_signal(signal.SIGTERM)
    assert standing.line.processes["daemon"].wait(300) == 0
    (folder / "0000998.txt").write_text("old")
    os.utime(folder / "0000998.txt", (time.time() - 100 * 86400,) * 2)
    standing.line.start_daemon()
    standing.until(lambda: len(told(standing, "transcripts.removed")) == 2)
    assert {path.name for path in folder.iterdir()} == {*kept, "notes.txt"}
