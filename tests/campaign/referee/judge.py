# SPDX-License-Identifier: Apache-2.0
"""All rules of the referee, in the order of what a false verdict costs."""

from collections.abc import Callable, Iterator, Sequence

from tests.campaign.canaries import leaks
from tests.campaign.evidence import Evidence
from tests.campaign.referee import centre, certificates, chain, figures, outside, units, verdicts
from tests.campaign.referee.violation import Promise, Violation

RULES: Sequence[Callable[[Evidence], Iterator[Violation]]] = (
    units.false_passes,
    units.told_passes,
    units.nothing_twice,
    units.ledgers_agree,
    centre.passes,
    centre.nothing_twice,
    certificates.accounted,
    certificates.only_issued,
    certificates.passed_with_theirs,
    verdicts.ended,
    verdicts.proven,
    verdicts.explained,
    verdicts.followed,
    verdicts.sound,
    chain.untouched,
    centre.once,
    centre.told,
    centre.heard,
    centre.counted,
    centre.certificates,
    outside.labels,
    outside.told,
    figures.flat,
)


def violations(evidence: Evidence) -> list[Violation]:
    """Every broken promise; none of a campaign in which the station was right."""
    return [*contradictions(evidence), *(Violation(Promise.NO_SECRET, each) for each in leaks(evidence))]


def contradictions(evidence: Evidence) -> list[Violation]:
    """The same without the search for secrets, which reads every file."""
    found = [violation for rule in RULES for violation in rule(evidence)]
    return found + [Violation(Promise.NOTHING_LEFT, each) for each in _remains(evidence)]


def _remains(evidence: Evidence) -> Iterator[str]:
    left = evidence.remains
    yield from (f"runs: {each}" for each in left.processes)
    yield from (f"open: {each}" for each in left.open_files)
    yield from (f"locked: {each}" for each in left.locks)
    yield from (f"in shared memory: {each}" for each in left.shared_memory)
