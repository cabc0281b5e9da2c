# SPDX-License-Identifier: Apache-2.0
"""Every document that a command prints with `--json` begins with the version of its keys."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup, TyperOption
from typer.main import get_command
from typer.testing import CliRunner

import development_pki.__main__
import station.cli
import virtual_bench.cli
from station.adapters.ledger.reader import AttemptSummary
from station.cli.demo import command as demo
from station.cli.demo.line import DemoLine
from station.cli.exit_codes import USAGE
from tests.builders.commands import station as run
from tests.builders.deeds import AT
from tests.cli.hostile import Desk, configuration
from tests.cli.test_hostile_text import PLACES
from virtual_bench.server import control as bench


def with_json(app: typer.Typer, *, flag: bool) -> list[str]:
    """The commands that have `--json`, as a flag or with a file to write."""
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    return [
        name
        for name, options in _options(root)
        if any("--json" in option.opts and option.is_flag is flag for option in options)
    ]


def _options(group: TyperGroup, before: str = "") -> Iterator[tuple[str, list[TyperOption]]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _options(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", [each for each in command.params if isinstance(each, TyperOption)]


def schema(text: str) -> int:
    """The version in a document; it is the first member."""
    said = json.loads(text)
    assert isinstance(said, dict)
    assert next(iter(said)) == "schema"
    version = said["schema"]
    assert isinstance(version, int)
    return version


# Their documents are of a recording, which a run of a line makes, and of a board: `tests/replay/test_replays.py` and
# `tests/line/test_measure.py` hold them to the same.
OF_A_LINE = {"measure", "replay"}


@pytest.mark.parametrize("command", sorted({*with_json(station.cli.app, flag=True)} - OF_A_LINE))
def test_every_document_of_the_station_begins_with_its_schema(desk: Desk, command: str) -> None:
    """A new command fails this test until `PLACES` calls it with `--json`, too."""
    PLACES[command](desk)
    assert desk.documents
    assert {schema(each) for each in desk.documents} == {1}


def test_only_the_demonstration_writes_its_document_to_a_file() -> None:
    assert with_json(station.cli.app, flag=False) == ["demo"]


def test_the_demonstrations_report_begins_with_its_schema(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The demonstration of one board, without its processes."""
    board = AttemptSummary(
        *(1, "demo-line", "1", "066CFF", "/dev/ttyACM0", "lamp", "00", {}, "LOT-1", None, None, AT, AT),
        *(None, None, None, "pass", None, 1.0, {}),
    )

    @contextmanager
    def standing(*_: object, **__: object) -> Iterator[object]:
        yield DemoLine(tmp_path, Path())

    monkeypatch.setattr(DemoLine, "standing", standing)
    monkeypatch.setattr(DemoLine, "plug_all", lambda _: None)
    monkeypatch.setattr(demo, "watch", lambda *_: ({"1": board}, []))
    monkeypatch.setattr(demo, "end_in_order", lambda: None)
    monkeypatch.setattr(demo, "ignore_endings", lambda: None)
    report = tmp_path / "report.json"
    run("demo", "--json", report)
    assert schema(report.read_text()) == 1


BENCH = {"fault": ["--list"], "status": ["--dir", "."]}


def test_every_document_of_the_bench_has_a_call_here() -> None:
    assert with_json(virtual_bench.cli.app, flag=True) == list(BENCH)
    assert with_json(virtual_bench.cli.app, flag=False) == []


@pytest.mark.parametrize("command", BENCH)
def test_every_document_of_the_bench_begins_with_its_schema(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr(bench, "ask", lambda *_, **__: [])
    done = CliRunner().invoke(virtual_bench.cli.app, [command, *BENCH[command], "--json"])
    assert schema(done.stdout) == 1


def test_the_pki_prints_no_document() -> None:
    assert [
        *with_json(development_pki.__main__.app, flag=True),
        *with_json(development_pki.__main__.app, flag=False),
    ] == []


def test_mistakes_in_a_configuration_are_a_document(desk: Desk) -> None:
    """Each names its file and place; the exit code stays that of a wrong configuration."""
    file = desk.file("mistaken.toml", configuration().replace('cli = "c"', 'cli = "c"\nbaudrate = 1'))
    done = subprocess.run(
        [sys.executable, "-m", "station", "config", "check", "--json", "--config", str(file)],
        capture_output=True,
        check=False,
    )
    said = json.loads(done.stdout)
    assert done.returncode == USAGE
    assert (said["config"], said["slots"], said["recipe"]) == (str(file), None, None)
    assert {"file", "place", "text"} == {key for problem in said["problems"] for key in problem}
    assert "programmer.baudrate" in {problem["place"] for problem in said["problems"]}
