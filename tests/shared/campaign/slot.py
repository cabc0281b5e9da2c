# SPDX-License-Identifier: Apache-2.0
"""A slot of a station in the campaign: one board after another through the station's own procedures."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from station.adapters.ledger import Ledger
from station.domain.attempt import Failed, Passed, ProcedureChosen, Verdict, Voided
from station.faults import Fault, LineFault, UnitFault
from station.interfaces import SecretSource
from station.procedure.choice import procedure_for
from station.procedure.job import Job
from station.procedure.names import NAMES
from station.procedure.provision import recognise
from station.recipe.recipe import Recipe
from station.replication.running import Replication
from station.replication.seen import fault_for_new_boards, pausing_fault
from tests.shared.campaign.bench import Authority, Equipment, Line, Pace, target

BETWEEN = 0.2  # share of the cycle between two boards
PAUSED = 0.5  # share of the cycle for which a line is paused after a fault of its own


@dataclass
class Slot:
    name: str
    ledger: Ledger
    line: Line
    pace: Pace
    recipe: Recipe
    secrets: SecretSource
    replication: Replication

    async def run(self) -> None:
        """Judges boards until the pace is ending. While the line is paused it waits."""
        await self.pace.take(self.pace.chance.random())
        while not self.pace.ending.is_set():
            seen = self.replication.seen
            if pausing_fault(seen, "", offline_start=True) or fault_for_new_boards(seen):
                await self.pace.take(PAUSED)
                continue
            plugged = await self.line.ask("plug")
            fault, what = await self._judge(plugged)
            why = fault.code if fault else what
            verdict = "pass" if fault is None else "fail" if isinstance(fault, UnitFault) else "void"
            await self.line.ask("unplug", str(plugged["uid"]), verdict=verdict, why=why)
            await self.pace.take(PAUSED if isinstance(fault, LineFault) else BETWEEN)

    async def _judge(self, plugged: Mapping[str, object]) -> tuple[Fault | None, str]:
        """Carries out one attempt. Returns its fault, and the procedure's name."""
        board = target(plugged)
        journal = await self.ledger.attempt(
            slot=self.name, probe="066AFF", tty="ttyACM0", recipe=self.recipe, secrets=self.secrets, quarantine_after=0
        )
        bench, authority = Equipment(self.line, self.pace, board), Authority(self.line, self.ledger)
        job = Job(bench, self.recipe, authority, journal)
        fault: Fault | None = None
        chosen = ""
        try:
            unit = await recognise(job)
            procedure = procedure_for(self.recipe, unit, datetime.now(UTC))
            chosen = NAMES[procedure].value
            await journal.record(ProcedureChosen(NAMES[procedure]))
            await procedure(job, unit)
        except Fault as raised:
            fault = raised
        await journal.finish(_verdict(fault))
        return fault, chosen


def _verdict(fault: Fault | None) -> Verdict:
    match fault:
        case None:
            return Passed()
        case UnitFault():
            return Failed(fault.code, fault.evidence)
        case _:
            return Voided(fault.code, fault.evidence)
