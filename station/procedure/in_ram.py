# SPDX-License-Identifier: Apache-2.0
"""The same procedure with the provisioning firmware in RAM: the plan `ram`, top to bottom. It shares the steps of `provision.py`.

One run of the programmer writes factory data and operational firmware, and then starts the provisioning firmware beside
them. So a bad flash is found before a certificate is asked for, and no firmware is written over another one.
"""

from station.domain.attempt import FactoryDataWritten, Phase
from station.faults.slot import BoardUnpowered
from station.faults.unit import BoardRefused
from station.interfaces import Board
from station.link.messages import Status, status_name
from station.procedure.coprocessor import prepare_coprocessor
from station.procedure.job import Job, Recognised
from station.procedure.provision import certify, check_finished, lock_finished, read_factory_data
from station.recipe import unit_builder


async def provision_in_ram(job: Job, unit: Recognised) -> None:
    """Make a bare board into a unit that any Matter commissioner accepts."""
    await prepare_coprocessor(job, unit)
    factory_data = unit_builder.factory_data_write(job.recipe, unit.identity)
    operational = unit_builder.operational_write(job.recipe, unit.identity)
    provisioner = unit_builder.provisioning_write(job.recipe, unit.identity)

    async with job.bench.board() as board:  # open the port before the start, since the firmware then speaks at once
        async with job.flashing(unit, factory_data, operational, provisioner) as programmer:
            async with job.ledger.step(Phase.FLASH_DATA, FactoryDataWritten()):
                await programmer.written(factory_data)

            async with job.ledger.step(Phase.FLASH_OPERATIONAL):
                await programmer.written(operational)

            async with job.ledger.step(Phase.FLASH_PROVISIONER):
                await programmer.written(provisioner)

        await _finish(job, unit, board)


async def redeliver_in_ram(job: Job, unit: Recognised) -> None:
    """Finish a board that holds its certificate: it keeps its factory data and gets no second certificate."""
    await _with_its_data(job, unit)


async def resume_in_ram(job: Job, unit: Recognised) -> None:
    """Go on with a board whose last attempt ended at the PKI: it keeps its factory data.

    Its operational firmware is written again, since nobody knows what became of it while the board waited.
    """
    await _with_its_data(job, unit)


async def _with_its_data(job: Job, unit: Recognised) -> None:
    """Write the operational firmware again, start the provisioning firmware in RAM, and finish the board."""
    operational = unit_builder.operational_write(job.recipe, unit.identity)
    provisioner = unit_builder.provisioning_write(job.recipe, unit.identity)

    async with job.bench.board() as board:
        async with job.programmer.invocation(operational, provisioner) as programmer:
            async with job.ledger.step(Phase.FLASH_OPERATIONAL):
                await programmer.written(operational)

            async with job.ledger.step(Phase.FLASH_PROVISIONER):
                await programmer.written(provisioner)

        await _finish(job, unit, board)


async def _finish(job: Job, unit: Recognised, board: Board) -> None:
    """Get the certificate, boot the operational firmware, and check that it and the flash are what was intended.

    A board that restarts meanwhile boots the operational firmware, which knows none of the provisioning's questions.
    """
    try:
        credentials = await certify(job, unit, board)
    except BoardRefused as refused:
        if refused.status != status_name(Status.UNKNOWN_QUESTION):
            raise
        raise BoardUnpowered("lost for a moment, and with it the firmware in RAM") from refused
    async with job.ledger.step(Phase.CONFIRM):
        flash = await read_factory_data(job)
        await check_finished(job, unit, board, credentials, flash)
    await lock_finished(job, unit)
