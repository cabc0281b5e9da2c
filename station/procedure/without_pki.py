# SPDX-License-Identifier: Apache-2.0
"""Procedures without the line's PKI: certificates come from a partner's script, from ST's own firmware, or from a file."""

from datetime import UTC, datetime

from station.domain.attempt import (
    FactoryDataWritten,
    Phase,
    ProcedureChosen,
    ProcedureName,
    UnitIdentified,
)
from station.factory_data.flash import read_back
from station.interfaces import AttemptLedger, Bench
from station.procedure.coprocessor import bring_stack, prepare_coprocessor
from station.procedure.identity import check_ours, mark_laboratory
from station.procedure.job import Job, Recognised
from station.procedure.provision import confirm, flash_operational
from station.recipe import unit_builder
from station.recipe.laboratory import Laboratory


async def provision_by_partner(job: Job, unit: Recognised) -> None:
    """Like `provision`, but a partner's script or ST's own firmware puts the certificates on the board."""
    await prepare_coprocessor(job, unit)
    factory_data = unit_builder.factory_data_write(job.recipe, unit.identity)
    provisioner = unit_builder.provisioning_write(job.recipe, unit.identity)

    async with job.bench.partner(job.recipe) as partner:
        async with job.flashing(unit, factory_data, provisioner) as programmer:
            async with job.ledger.step(Phase.FLASH_DATA, FactoryDataWritten()):
                await programmer.written(factory_data)

            async with job.ledger.step(Phase.FLASH_PROVISIONER):
                await programmer.written(provisioner)

        async with job.ledger.step(Phase.DELIVER):
            await partner.deliver()

    await finish(job, unit)


async def finish(job: Job, unit: Recognised) -> None:
    """Finish a board that a partner has provisioned. The content of its flash is the evidence, not the partner's report."""
    async with job.bench.board() as board:
        flash = await flash_operational(job, unit)
        await confirm(job, unit, board, None, flash)


async def reconfigure(bench: Bench, laboratory: Laboratory, ledger: AttemptLedger) -> None:
    """Give a laboratory board the identity in a file, with certificates and keys; no PKI is involved."""
    factory_data, images = laboratory.data_write, laboratory.image_writes

    async with ledger.step(Phase.RECOGNISE):
        laboratory.check(datetime.now(UTC))
        target = await bench.programmer.identify()
        await ledger.record(UnitIdentified.of(target))
        laboratory.check_part(target)
        await mark_laboratory(ledger)
        await check_ours(target, ledger)
        await ledger.record(ProcedureChosen(ProcedureName.RECONFIGURE))

    if laboratory.wireless_stack is not None:
        await bring_stack(bench.programmer.coprocessor, laboratory.wireless_stack, ledger)

    async with bench.programmer.invocation(factory_data, *images, laboratory.region) as programmer:
        async with ledger.step(Phase.FLASH_DATA):
            await programmer.written(factory_data)

        if images:
            async with ledger.step(Phase.FLASH_OPERATIONAL):
                for image in images:
                    await programmer.written(image)

        async with ledger.step(Phase.CONFIRM):
            laboratory.check_readback(read_back(await programmer.read(laboratory.region)))
