# SPDX-License-Identifier: Apache-2.0
"""Installs and starts the coprocessor's wireless stack, as the first work on a bare board.

The work overwrites the application's first pages. If the recipe names a version, only the versions read back decide whether
an upgrade succeeded.
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
    """Install the recipe's wireless stack, if it has one. A board that may hold a key got it in an earlier attempt."""
    if job.recipe.wireless_stack is not None and not unit.identity.may_have_key:
        await bring_stack(job.programmer.coprocessor, job.recipe.wireless_stack, job.ledger)


async def bring_stack(coprocessor: Coprocessor, stack: WirelessStack, ledger: AttemptLedger) -> None:
    """Install this stack unless it is there already, start it, and restore the option bytes that the board boots by."""
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
    """Upgrades, and once more if the versions prove that the stack is still missing. Returns the versions read back.

    The programmer has been seen to report that it could not delete the old stack when it had deleted it. It then does not
    write the new one. Raises `StackUnproven`, or `StackImageRefused` if the coprocessor rejects the image's signature.
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
    """Whether the coprocessor has no stack, or the old one. With no version required, unchanged version words prove nothing."""
    return after.stack is None or (stack.version is not None and after == before)


@asynccontextmanager
async def _boot_restored(coprocessor: Coprocessor) -> AsyncIterator[None]:
    """Restores the option bytes that the board boots by, also after a fault. Of two faults, raises the first."""
    try:
        yield
    except (BoardExchanged, ProbeWrong):
        raise  # the probe reaches another board, whose option bytes are not ours to set
    except Fault as first:
        try:
            await coprocessor.restore_boot()
        except Fault as second:
            raise first from second
        raise
    await coprocessor.restore_boot()
