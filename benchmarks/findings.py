# SPDX-License-Identifier: Apache-2.0
"""What the benchmark has found so far, and the report of it."""

from dataclasses import dataclass, field

from benchmarks import bound, proofs, results
from benchmarks.figures import Row
from benchmarks.idle import Idle
from benchmarks.machine import Machine
from benchmarks.page import Page
from benchmarks.page_rows import Pair, page_rows, pair_rows
from benchmarks.recording import Recording
from benchmarks.report import Report
from benchmarks.results import LINES
from benchmarks.scale import Scale
from benchmarks.shared import Shared
from benchmarks.shared_price import Price
from benchmarks.shared_rows import price_rows, shared_rows
from benchmarks.st_rows import st_rows
from benchmarks.st_runs import CONTENDERS, STRun
from benchmarks.troubled import Troubled
from benchmarks.troubled_rows import troubled_rows

ALONE, GROUPED = "durable commits, one by one", "durable units of work from 64 tasks, in groups"
GOALS = {ALONE: results.COMMITS_ALONE, GROUPED: results.COMMITS_GROUPED}


@dataclass
class Findings:
    """The results so far; they are shown even if the rest is interrupted."""

    runs: list[Recording] = field(default_factory=list)
    st_runs: list[STRun] = field(default_factory=list)
    idle: Idle | None = None
    unusable: list[str] = field(default_factory=list)
    """The reasons why runs or parts gave no figures; such a run meets no goal."""
    rates: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    attestation: list[float] = field(default_factory=list)
    relay: list[float] = field(default_factory=list)
    scales: list[Scale] = field(default_factory=list)
    page: Page | None = None
    shared: Shared | None = None
    price: Price | None = None
    troubled: Troubled | None = None
    beside_pages: dict[str, list[Pair]] = field(default_factory=dict)
    """Runs of a line with and without open pages."""

    def report(self, machine: Machine, command: str) -> Report:
        rows: list[Row] = []
        for line, way in LINES.items():
            ones = [run for run in self.runs if run.boards == 1 and LINES[run.line].work == way.work]
            if same := [run for run in self.runs if run.line == line]:
                rows += results.line_rows(same, ones, self.idle)
        for contender in CONTENDERS:
            if theirs := [run for run in self.st_runs if run.line == contender]:
                rows += st_rows(theirs, self.runs)
        rows += self._parts()
        for name, pairs in self.beside_pages.items():
            rows += pair_rows(name, pairs)
        sizes = next((run.sizes for run in self.runs if LINES[run.line].work == LINES["one"].work), None)
        cuts = bound.next_cuts(results.CONSTANTS, sizes) if sizes else []
        runs = [*(run.as_json() for run in self.runs), *(run.as_json() for run in self.st_runs)]
        steps = results.steps(self.runs)
        return Report(machine, command, rows, steps, cuts, runs, self.unusable, self._proofs())

    def _proofs(self) -> list[proofs.Proof]:
        """What the calls of ST's tool prove and what the station does, if they were measured beside one another."""
        if not self.st_runs:
            return []
        st = [call.argv for call in self.st_runs[0].calls if call.board == 1]
        plans = {
            plan: [each.argv for each in run.invocations]
            for plan, line in (("flash", "one"), ("ram", "ram-one"))
            if (run := next((run for run in self.runs if run.line == line), None))
        }
        return [*proofs.counted(st, plans), *proofs.SAID]

    def _parts(self) -> list[Row]:
        """The rows of the parts that need no line."""
        rows: list[Row] = []
        if self.idle is not None:
            rows += results.idle_rows(self.idle)
        for part, found in self.rates.items():
            rows += results.rate_rows(part, found, GOALS)
        if self.scales:
            rows += results.scale_rows(self.scales)
        if self.attestation:
            rows.append(results.attestation_row(self.attestation))
        if self.relay:
            rows.append(results.relay_row(self.relay))
        if self.page is not None:
            rows += page_rows(self.page)
        if self.shared is not None:
            rows += shared_rows(self.shared)
        if self.price is not None:
            rows += price_rows(self.price)
        if self.troubled is not None:
            rows += troubled_rows(self.troubled)
        return rows
