# SPDX-License-Identifier: Apache-2.0
"""The account of a campaign, as a person reads it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.shared.campaign.chaos import Disaster, missed
from tests.shared.campaign.evidence import Evidence
from tests.shared.campaign.plan import Plan
from tests.shared.campaign.referee import Referee, Violation

SHOWN = 5  # violations of each promise


@dataclass(frozen=True)
class Outcome:
    """The end of a campaign. `died` are stations that ended by themselves."""

    plan: Plan
    violations: Sequence[Violation]
    table: Sequence[str]
    missed: Sequence[str]
    died: Sequence[str]

    @property
    def good(self) -> bool:
        return not (self.violations or self.missed or self.died)

    @property
    def text(self) -> str:
        """The table, and what speaks against the stations."""
        lines = [*self.table]
        lines += [f"MISSED    {kind}: it has not come in this campaign" for kind in self.missed]
        lines += [f"DIED      {died}" for died in self.died[:SHOWN]]
        for promise, count in Counter(each.promise for each in self.violations).items():
            lines.append(f"VIOLATION {promise}: {count}")
            found = [each.what for each in self.violations if each.promise == promise]
            lines += [f"          {what}" for what in found[:SHOWN]]
        verdict = "0 violations" if not self.violations else f"{len(self.violations)} violations"
        return "\n".join([*lines, f"VERDICT   {verdict}, seed {self.plan.seed}"])


def outcome(plan: Plan, evidence: Evidence, counts: Counter[str], died: Sequence[str], seconds: float) -> Outcome:
    """Judges what is left of a campaign that took so many seconds with its drain."""
    referee = Referee(evidence)
    violations = referee.violations()
    return Outcome(plan, violations, list(_table(plan, referee, counts, seconds)), missed(counts), died)


def _table(plan: Plan, referee: Referee, counts: Counter[str], seconds: float) -> Iterator[str]:
    evidence, told = referee.evidence, referee.told
    world, centre = evidence.world, evidence.centre
    verdicts = [f"{world.counts.get(verdict, 0)} {verdict}" for verdict in ("pass", "fail", "void")]
    attempts = sum(world.counts.get(verdict, 0) for verdict in ("pass", "fail", "void"))
    incarnations, blocks = centre.incarnations(), centre.blocks()
    closed = sum(each.closed for each in incarnations)
    passed = sum(bool(board.passes) for board in world.boards)
    yield f"campaign  {plan.stations} stations x {plan.slots} slots, {plan.seconds:.0f} s and drain to {seconds:.0f} s; a board takes {plan.cycle:.0f} s"
    yield f"befell    {_listed({kind.value: counts[kind] for kind in Disaster})}"
    others = {name: count for name, count in counts.items() if name not in list(Disaster)}
    if others:
        yield f"also      {_listed(others)}"
    yield f"boards    {len(world.boards)}, of which {passed} passed; {len(world.writes)} writes of factory data; {len(world.minted)} certificates"
    yield f"attempts  {attempts} ({', '.join(verdicts)}): {attempts / seconds:.1f} units/s"
    yield f"of them   {_listed({name: count for name, count in world.counts.items() if ':' in name or 'PKI' in name})}"
    yield f"centre    {len(incarnations)} incarnations, {closed} closed; blocks {_listed(Counter(state for *_, state in blocks.values()))}; {centre.pairs()} pairs"
    yield f"journals  {sum(told.lines.values())} lines, {told.bytes_of_lines / max(1, sum(told.lines.values())):.0f} bytes each, {told.bytes_packed / max(1, sum(told.lines.values())):.0f} packed: {_listed(told.lines)}"
    yield f"anomalies {_listed(Counter(kind for kind, *_ in centre.anomalies())) or 'none'}"
    yield f"sizes     {_listed({name: f'{size / 1e6:.1f} MB' for name, size in centre.sizes().items() if size > 1e5})}"


def _listed(counts: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
