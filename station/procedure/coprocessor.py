# SPDX-License-Identifier: Apache-2.0
"""The coprocessor's wireless stack, before all else on a bare board: read, upgraded where it is another one, and started.

Work on it overwrites the application's first pages. Only the versions that are read back decide what became of an upgrade.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from station.domain.attempt import CoprocessorReady, Phase
from station.domain.coprocessor import CoprocessorVersions, WirelessStack
from station.faults import Fault
from station.faults.line import StackImageRefused
from station.faults.slot import BoardExchanged, ProbeWrong
from station.faults.unit import StackUnproven
from station.interfaces import AttemptLedger, Coprocessor
from station.procedure.job import Job, Recognised


async def prepare_coprocessor(job: Job, unit: Recognised) -> None:
    """The wireless stack that the recipe asks for; a board that may hold a key is left alone, it had its turn before."""
    if job.recipe.wireless_stack is not None and not unit.identity.may_have_key:
        await bring_stack(job.programmer.coprocessor, job.recipe.wireless_stack, job.ledger)


async def bring_stack(coprocessor: Coprocessor, stack: WirelessStack, ledger: AttemptLedger) -> None:
    """The stack stands on the coprocessor and runs, whatever was there before, and the board boots as it did."""
    async with ledger.step(Phase.COPROCESSOR):
        async with _boot_restored(coprocessor):
            before = after = await coprocessor.versions()
            stack.check_fus(before)
            right = stack.stands(before)
            if not right:
                after = await _upgraded(coprocessor, stack, before)
            await coprocessor.start_stack()

        await ledger.record(
            CoprocessorReady(stack.sha256, str(after.fus), before.stack_said, after.stack_said, upgraded=not right)
        )


async def _upgraded(coprocessor: Coprocessor, stack: WirelessStack, before: CoprocessorVersions) -> CoprocessorVersions:
    """The versions that prove the upgrade, which is run once; again only where they prove that the stack is not there.

    The deletion of the old stack has been seen to report a failure when it had worked, and the new one is not written then.
    """
    against = await coprocessor.upgrade(stack, first=False)
    after = await coprocessor.versions()
    if _not_there(stack, before, after) and not isinstance(against, StackImageRefused):
        against = await coprocessor.upgrade(stack, first=after.stack is None)
        after = await coprocessor.versions()
    if stack.stands(after) or (stack.version is None and against is None and after.stack is not None):
        return after
    if isinstance(against, StackImageRefused):
        raise against
    said = str(against) if against else "success"
    raise StackUnproven(stack.expected, before.stack_said, after.stack_said, said)


def _not_there(stack: WirelessStack, before: CoprocessorVersions, after: CoprocessorVersions) -> bool:
    """No stack is there, or the old one. Without a wanted version the same as before may have been written again."""
    return after.stack is None or (stack.version is not None and after == before)


@asynccontextmanager
async def _boot_restored(coprocessor: Coprocessor) -> AsyncIterator[None]:
    """Restores what the board boots by, after a fault too: its first fault says more than one of the restoration."""
    try:
        yield
    except (BoardExchanged, ProbeWrong):
        raise  # the board is not there, and nothing is set on another
    except Fault as first:
        try:
            await coprocessor.restore_boot()
        except Fault as second:
            raise first from second
        raise
    await coprocessor.restore_boot()
