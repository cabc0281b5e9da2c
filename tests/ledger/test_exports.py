# SPDX-License-Identifier: Apache-2.0
"""What is written of many units is written as it is read, and a file has its name only once it is whole."""

import gc
import io
import json
import os
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

import pytest

from benchmarks.filled import fill
from station.adapters.ledger import lot_report, selection
from station.cli import app
from station.cli.consoles import ROWS_AT_ONCE, print_rows, say_json, say_json_list
from station.cli.ledger.output import opened

SMALL, LARGE = 300, 2_500
MORE = 700_000  # bytes, where the records of the further units would have some millions
COMMANDS = {
    "units": ["units", "export"],
    "units as JSON": ["units", "export", "--format", "jsonl"],
    "attempts": ["units", "export", "--attempts"],
    "list as JSON": ["units", "list", "--all", "--json"],
    "list of attempts": ["units", "list", "--all", "--verdict", "pass", "--json"],
}


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("exports")
    small, large = folder / "small.sqlite", folder / "large.sqlite"
    fill(small, SMALL)
    fill(large, LARGE)
    return small, large


def peak(work: Callable[[], object]) -> int:
    """The most bytes that Python had in use at once for this work, whose output goes nowhere."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        gc.collect()
        tracemalloc.start()
        try:
            work()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def peaks(command: list[str], ledgers: tuple[Path, Path]) -> list[int]:
    def run(path: Path) -> None:
        app([*command, "--ledger", str(path)], standalone_mode=False)

    peak(partial(run, ledgers[0]))  # imports, and compiles the statements
    return [peak(partial(run, path)) for path in ledgers]


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_ten_times_as_many_units_take_no_more_memory(command: list[str], ledgers: tuple[Path, Path]) -> None:
    small, large = peaks(command, ledgers)
    assert large < small + MORE


@pytest.mark.slow
def test_a_lots_report_takes_memory_for_its_figures_alone(
    ledgers: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A median needs every attempt's seconds, and is the only thing that does."""
    monkeypatch.setattr(selection, "numbers", lambda *_: None)
    monkeypatch.setattr(lot_report, "_figures", lambda _: ())
    small, large = peaks(["lots", "report", "BENCHMARK"], ledgers)
    assert large < small + MORE


def test_an_interrupted_export_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """And nothing beside it."""
    file = tmp_path / "units.csv"
    file.write_text("of yesterday")
    file.chmod(0o640)
    with pytest.raises(KeyboardInterrupt), opened(file) as half:
        half.write("half of to")
        raise KeyboardInterrupt
    assert file.read_text() == "of yesterday"
    with opened(file) as whole:
        whole.write("of today")
        assert file.read_text() == "of yesterday"
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("of today", 0o640)
    assert list(tmp_path.iterdir()) == [file]


def test_an_export_through_a_link_or_to_a_device_goes_there(tmp_path: Path) -> None:
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    link.symlink_to(real)
    with opened(link) as file:
        file.write("all")
    assert (link.is_symlink(), real.read_text()) == (True, "all")
    with opened(Path("/dev/null")) as file:
        file.write("all")
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("rows", [[], [{"a": 1}], [{"a": [1, {}], "b": None}, {"ü": "\x1b"}]])
def test_a_list_is_the_document_that_it_would_be_in_one_piece(rows: list[dict[str, object]]) -> None:
    def printed(say: Callable[[], None]) -> str:
        with redirect_stdout(io.StringIO()) as out:
            say()
        return out.getvalue()

    streamed = printed(lambda: say_json_list("rows", iter(rows), lambda: {"more": False, "totals": {"of": {}}}))
    assert streamed == printed(lambda: say_json({"rows": rows, "more": False, "totals": {"of": {}}}))
    assert json.loads(streamed)["rows"] == rows


def test_a_long_table_has_one_head_and_its_columns_stay_in_line() -> None:
    """Its first rows are printed before its last ones are read."""

    def rows() -> Iterator[tuple[str, str]]:
        for number in range(2500):
            assert out.getvalue().count("\n") >= number - ROWS_AT_ONCE
            yield f"{number:08d}", "x" if number else "the longest"

    with redirect_stdout(io.StringIO()) as out:
        assert print_rows(("number", "word"), rows()) == 2500
    head, *lines = out.getvalue().splitlines()
    assert (head.split(), len(lines)) == (["number", "word"], 2500)
    assert {line.index("x") for line in lines[1:]} == {head.index("word")}
