# SPDX-License-Identifier: Apache-2.0
"""The first step on a bare board: read the coprocessor's wireless stack, upgrade it if it is another one, and start it.

An upgrade overwrites the application's first pages. Only the versions that are read back prove its result.
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
    """Brings the recipe's wireless stack to the board. A board that may hold a key is skipped: an earlier attempt did this step."""
    if job.recipe.wireless_stack is not None and not unit.identity.may_have_key:
        await bring_stack(job.programmer.coprocessor, job.recipe.wireless_stack, job.ledger)


async def bring_stack(coprocessor: Coprocessor, stack: WirelessStack, ledger: AttemptLedger) -> None:
    """Leaves the coprocessor with this stack, running, and the board with the boot configuration that it had."""
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
    """Runs the upgrade and returns the versions that prove it. Runs it again only if they prove that the stack is missing.

    The deletion of the old stack has been seen to report a failure although it had worked; the new stack is not written then.
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
    """Whether the coprocessor has no stack, or still the old one. With no version required, unchanged version words prove nothing."""
    return after.stack is None or (stack.version is not None and after == before)


@asynccontextmanager
async def _boot_restored(coprocessor: Coprocessor) -> AsyncIterator[None]:
    """Restores the boot option bytes, after a fault too. A fault of the restoration never hides the first one."""
    try:
        yield
    except (BoardExchanged, ProbeWrong):
        raise  # another board is connected: leave its option bytes alone
    except Fault as first:
        try:
            await coprocessor.restore_boot()
        except Fault as second:
            raise first from second
        raise
    await coprocessor.restore_boot()
