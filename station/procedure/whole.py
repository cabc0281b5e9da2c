# SPDX-License-Identifier: Apache-2.0
"""An attempt's whole work on a board: recognise it, choose its procedure, carry that out."""

from station.domain.attempt import ProcedureChosen
from station.procedure.choice import procedure_for
from station.procedure.job import Job
from station.procedure.names import NAMES
from station.procedure.provision import recognise


async def carry_out(job: Job) -> None:
    """Works on the board; raises the fault that ends the work."""
    unit = await recognise(job)
    procedure = procedure_for(job.recipe, unit, job.now())
    await job.ledger.record(ProcedureChosen(NAMES[procedure]))
    await procedure(job, unit)
