# SPDX-License-Identifier: Apache-2.0
"""A demonstration's report at the end, for people and as JSON, and the verdicts that its fault file expects."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from station.adapters.ledger.reader import AttemptSummary
from station.adapters.system import transcripts
from station.cli.consoles import coloured, styled
from station.cli.demo.endings import Ending, note, to_do
from station.config.problems import ConfigurationInvalid, Problem


@dataclass(frozen=True, slots=True)
class Expected:
    """The verdict that a board should get."""

    verdict: str = "pass"
    fault: str | None = None


def expectations(faults: Path | None, boards: int) -> dict[str, Expected]:
    """The fault file's expected verdicts, by slot; a board without an entry must pass. Raises `ConfigurationInvalid`."""
    expected = {str(number): Expected() for number in range(1, boards + 1)}
    if faults is None:
        return expected
    try:
        entries = tomllib.loads(faults.read_text(encoding="utf-8")).get("fault", [])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigurationInvalid([Problem(faults, "", f"is not TOML: {exc}")]) from exc
    problems = []
    for number, entry in enumerate(entries, start=1):
        try:
            board, expect = str(entry["board"]), entry["expect"]
            wanted = Expected(expect["verdict"], expect.get("fault"))
        except (KeyError, TypeError):
            problems.append(Problem(faults, f"fault[{number}]", "needs board and expect = { verdict = …, fault = … }"))
            continue
        if board not in expected:
            problems.append(Problem(faults, f"fault[{number}].board", f"there are boards 1 to {boards}, not {board}"))
        expected[board] = wanted
    if problems:
        raise ConfigurationInvalid(problems)
    return expected


@dataclass(frozen=True, slots=True)
class Report:
    """One entry for each board, and their totals."""

    boards: tuple[AttemptSummary, ...]
    seconds: float

    @classmethod
    def of(cls, attempts: Mapping[str, AttemptSummary]) -> "Report":
        """Wall time is from the first attempt's beginning to the last one's end."""
        boards = tuple(sorted(attempts.values(), key=lambda attempt: int(attempt.slot)))
        began = min(attempt.started_at for attempt in boards)
        ended = max(attempt.started_at.timestamp() + attempt.seconds for attempt in boards)
        return cls(boards, ended - began.timestamp())

    def count(self, verdict: str) -> int:
        return sum(board.verdict == verdict for board in self.boards)

    def as_json(self) -> dict[str, object]:
        return {
            "boards": [
                {
                    "slot": board.slot,
                    "probe": board.probe,
                    "uid": board.uid,
                    "verdict": board.verdict,
                    "fault": board.fault,
                    "seconds": round(board.seconds, 3),
                    "phases": {name: round(seconds, 3) for name, seconds in board.steps.items()},
                    "serial_number": board.serial_number,
                    "dac_serial_number": board.dac_serial_number,
                }
                for board in self.boards
            ],
            "totals": {
                "boards": len(self.boards),
                "pass": self.count("pass"),
                "fail": self.count("fail"),
                "void": self.count("void"),
                "seconds": round(self.seconds, 3),
            },
        }

    def surprises(self, expected: Mapping[str, Expected]) -> list[str]:
        """A sentence for every board that did not get its expected verdict."""
        return [
            f"board {board.slot} ended as {_words(Expected(board.verdict or '', board.fault))}, expected {_words(wanted)}"
            for board in self.boards
            if (wanted := expected[board.slot]).verdict != board.verdict
            or (wanted.fault is not None and wanted.fault != board.fault)
        ]


def _words(verdict: Expected) -> str:
    return f"{verdict.verdict} ({verdict.fault})" if verdict.fault else verdict.verdict


def report_table(report: Report) -> Group:
    """The report for people, 80 columns wide."""
    columns = ("slot", "uid", "verdict", "seconds", "serial number", "fault")
    table = Table(*columns, box=None, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False)
    for board in report.boards:
        table.add_row(
            board.slot,
            board.uid or "",
            coloured(board.verdict or ""),
            f"{board.seconds:.1f}",
            board.serial_number or "",
            board.fault or "",
        )
    counts = f"{len(report.boards)} boards: {report.count('pass')} pass, {report.count('fail')} fail, {report.count('void')} void"
    an_hour = f", {len(report.boards) / report.seconds * 3600:.0f} boards an hour" if report.seconds > 0 else ""
    return Group("", table, styled((f"{counts} in {report.seconds:.1f} s{an_hour}", "bold")))


def explanations(report: Report, endings: Sequence[Ending], folder: Path) -> Iterator[Text]:
    """For every board that did not pass: its fault's sentence, and the file with the programmer's output."""
    told = {ending.attempt: ending for ending in endings}
    bad = [
        told.get(board.number)
        or Ending(board.number, board.slot, board.verdict or "", board.seconds, board.fault)  # the log lost its line
        for board in report.boards
        if board.verdict != "pass"
    ]
    for ending in bad:
        yield note(ending)
        file = Path("transcripts") / transcripts.place_of(ending.attempt)
        if (folder / file).exists():
            yield styled((f"    what the programmer said: {file}", "dim"))
    if bad:
        yield styled((to_do(bad), "bold"))
