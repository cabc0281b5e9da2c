# SPDX-License-Identifier: Apache-2.0
"""The benchmark's results as tables for people, and as JSON for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.bound import Cut
from benchmarks.figures import Row, Verdict
from benchmarks.machine import Machine
from benchmarks.proofs import Proof
from benchmarks.results import Step

COLOURS = {Verdict.MET: "green", Verdict.MISSED: "bold red", Verdict.NONE: "dim"}


@dataclass(frozen=True, slots=True)
class Report:
    """All results of the benchmark."""

    machine: Machine
    command: str
    rows: Sequence[Row]
    steps: Mapping[str, Sequence[Step]]
    """By plan and profile."""
    cuts: Sequence[Cut]
    runs: Sequence[dict[str, object]]
    unusable: Sequence[str] = ()
    proofs: Sequence[Proof] = ()

    @property
    def held(self) -> list[Row]:
        """The rows that have a goal."""
        return [row for row in self.rows if row.goal is not None]

    @property
    def missed(self) -> list[Row]:
        return [row for row in self.rows if row.verdict is Verdict.MISSED]

    def as_json(self) -> dict[str, object]:
        return {
            "machine": self.machine.as_json(),
            "command": self.command,
            "rows": [row.as_json() for row in self.rows],
            "steps": {work: [step.as_json() for step in steps] for work, steps in self.steps.items()},
            "cuts": [{"what": cut.what, "seconds": round(cut.seconds, 3), "price": cut.price} for cut in self.cuts],
            "runs": list(self.runs),
            "unusable": list(self.unusable),
            "proofs": [proof.as_json() for proof in self.proofs],
        }

    def print(self, console: Console) -> None:
        console.print()
        console.print(f"{self.machine}", soft_wrap=True)
        console.print(_rows(self.rows))
        if self.proofs:
            console.print(_proofs(self.proofs))
        for work, steps in self.steps.items():
            console.print(_steps(work, steps))
        if self.cuts:
            console.print(_cuts(self.cuts))


def number(value: float) -> str:
    """Formats with three decimals below a hundred and none above, since no figure is more precise."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}".rstrip("0").rstrip(".")


def _rows(rows: Sequence[Row]) -> Table:
    table = Table("part", "what", "bound", "goal", "result", "interval (95 %)", "n", "", box=None, header_style="bold")
    before = ""
    for row in rows:
        low, high = row.sample.interval
        goal = "" if row.goal is None else f"{'≥' if row.goal.at_least else '≤'} {number(row.goal.limit)}"
        table.add_row(
            "" if row.part == before else row.part,
            row.what,
            "" if row.bound is None else number(row.bound),
            goal,
            f"{number(row.sample.median)} {row.unit}",
            f"{number(low)} … {number(high)}" if len(row.sample.values) > 1 else "",
            str(len(row.sample.values)),
            Text(row.verdict.value, COLOURS[row.verdict]),
        )
        before = row.part
    return table


def _steps(work: str, steps: Sequence[Step]) -> Table:
    lines = list(steps[0].measured)
    columns = [heading for line in lines for heading in (line, "adds")]
    table = Table(f"{work} (seconds)", "bound", *columns, box=None, header_style="bold")
    for step in steps:
        cells = [cell for line in lines for cell in _cells(step.measured[line], step.bound)]
        table.add_row(step.name, f"{step.bound:.3f}", *cells)
    total = sum(step.bound for step in steps)
    sums = [cell for line in lines for cell in _cells(sum(step.measured[line] for step in steps), total)]
    table.add_row("all steps", f"{total:.3f}", *sums, style="bold")
    return table


def _cells(measured: float, bound: float) -> tuple[str, str]:
    return f"{measured:.3f}", f"{measured - bound:+.3f}"


def _proofs(proofs: Sequence[Proof]) -> Table:
    table = Table("what is proven", "by ST's calls", "by the station", box=None, header_style="bold")
    for proof in proofs:
        table.add_row(proof.what, proof.st, proof.station)
    return table


def _cuts(cuts: Sequence[Cut]) -> Table:
    table = Table("next cut", "saves", "at the price of", box=None, header_style="bold")
    for cut in cuts:
        table.add_row(cut.what, f"{cut.seconds:.2f} s", cut.price)
    return table
