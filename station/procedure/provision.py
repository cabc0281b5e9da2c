# SPDX-License-Identifier: Apache-2.0
"""The procedure: what happens to one board, top to bottom. Everything else exists so that this file can stay plain.

`recognise` comes first, then the procedure that `choice.py` picks for this board: one of these, or one of `in_ram.py` or
`without_pki.py`.
"""

from station.domain.attempt import (
    Confirmed,
    CredentialsChosen,
    CredentialsDelivered,
    CSRReceived,
    FactoryDataWritten,
    IdentityReserved,
    Phase,
    UnitIdentified,
)
from station.domain.credentials import Credentials
from station.domain.identity import Identity
from station.domain.memory_map import READBACK_REGION
from station.domain.target import Target
from station.factory_data.flash import Flash, Locked, NotRead, ReadBack, read_back
from station.interfaces import Board
from station.procedure.coprocessor import prepare_coprocessor
from station.procedure.identity import admit, adopt, check_ours, check_routed, claim, identity_of
from station.procedure.job import Job, Recognised
from station.recipe import checks, unit_builder


async def recognise(job: Job) -> Recognised:
    """Identify the board without a reset. A board that may already hold a certificate is read back."""
    async with job.ledger.step(Phase.RECOGNISE):
        target = await job.programmer.identify()
        await job.ledger.record(UnitIdentified.of(target))
        checks.check_part(job.recipe, target)
        await admit(job, target)
        unproven = await claim(job, target)
        await check_ours(target, job.ledger)
        await check_routed(target.uid, job.route, job.ledger)
        identity = await identity_of(target.uid, job.recipe, job.ledger)
        await job.ledger.record(IdentityReserved(identity.serial_number))
        checks.check_remembered(job.recipe, target, identity)
        await job.authority.check_askable(target.uid)
        at_relay = job.at_relay == target.uid
        flash = NotRead() if at_relay and not unproven else await _flash(job, target, identity, unproven=unproven)
        if unproven:
            checks.check_own_data(job.recipe, target, identity, flash)
    return Recognised(target, identity, flash, at_relay)


async def provision(job: Job, unit: Recognised) -> None:
    """Make a bare board into a unit that any Matter commissioner accepts."""
    await prepare_coprocessor(job, unit)
    factory_data = unit_builder.factory_data_write(job.recipe, unit.identity)
    provisioner = unit_builder.provisioning_write(job.recipe, unit.identity)

    async with job.bench.board() as board:  # open the port before the reset, since the firmware then speaks at once
        async with job.flashing(unit, factory_data, provisioner) as programmer:
            async with job.ledger.step(Phase.FLASH_DATA, FactoryDataWritten()):
                await programmer.written(factory_data)

            async with job.ledger.step(Phase.FLASH_PROVISIONER):
                await programmer.written(provisioner)

        credentials = await certify(job, unit, board)
        await confirm(job, unit, board, credentials, await flash_operational(job, unit))


async def redeliver(job: Job, unit: Recognised) -> None:
    """Finish a board that holds its certificate: it keeps its factory data and gets no second certificate."""
    provisioner = unit_builder.provisioning_write(job.recipe, unit.identity)

    async with job.bench.board() as board:
        async with job.ledger.step(Phase.FLASH_PROVISIONER), job.programmer.invocation(provisioner) as programmer:
            await programmer.written(provisioner)

        credentials = await certify(job, unit, board)
        await confirm(job, unit, board, credentials, await flash_operational(job, unit))


async def resume(job: Job, unit: Recognised) -> None:
    """Go on with a board whose last attempt ended at the PKI: it has not left its slot, and nothing is flashed twice."""
    async with job.bench.board() as board:
        credentials = await certify(job, unit, board)
        await confirm(job, unit, board, credentials, await flash_operational(job, unit))


async def reconfirm(job: Job, unit: Recognised) -> None:
    """Check that a confirmed unit is unchanged. Nothing is issued, and nothing is written but a missing lock."""
    async with job.bench.board() as board:
        await confirm(job, unit, board, unit.identity.issued, unit.flash)


async def certify(job: Job, unit: Recognised, board: Board) -> Credentials:
    """Get a certificate for the board's own key; the board then proves that it holds the key."""
    async with job.ledger.step(Phase.AWAIT_CSR):
        hello = await board.hello()
        checks.check_same_board(job.recipe, unit.target, hello.uid, hello.key_storage)
        csr = await board.make_csr(named=job.recipe.names_requests)
        checks.check_csr(job.recipe, unit.identity, csr)
        checks.check_known_certificate(job.recipe, unit.identity, csr, job.now())
        await job.ledger.record(CSRReceived.of(csr))

    async with job.ledger.step(Phase.RELAY_TO_PKI):
        credentials = await job.authority.issue_dac(csr, unit.target.uid)
        checks.check_credentials(job.recipe, csr, credentials, job.now())
        await job.ledger.record(CredentialsChosen(credentials.key, credentials.dac_serial_number))

    async with job.ledger.step(Phase.DELIVER):
        await board.store(credentials)
        nonce = job.nonce()
        credentials.check_possession(nonce, await board.prove(nonce), "deliver")
        await job.ledger.record(CredentialsDelivered(credentials.dac_serial_number))

    return credentials


async def flash_operational(job: Job, unit: Recognised) -> ReadBack:
    """Replace the provisioning firmware by the operational one. Returns the factory data read just before, for `confirm`."""
    operational = unit_builder.operational_write(job.recipe, unit.identity)
    invocation = job.programmer.invocation(READBACK_REGION, operational)

    async with job.ledger.step(Phase.FLASH_OPERATIONAL), invocation as programmer:
        flash = read_back(await programmer.read(READBACK_REGION))
        await programmer.written(operational)
    return flash


async def confirm(job: Job, unit: Recognised, board: Board, credentials: Credentials | None, flash: Flash) -> None:
    """Check that the flash holds what was intended and that the operational firmware presents it; then lock the unit.

    `credentials` is None if a partner delivered them: they are then read from the flash.
    """
    async with job.ledger.step(Phase.CONFIRM):
        if credentials is None:
            delivered = checks.delivered(job.recipe, unit.identity, flash, job.now())
            await adopt(delivered, unit.target.uid, job.ledger)
            credentials = delivered.credentials
        await check_finished(job, unit, board, credentials, flash)
    await lock_finished(job, unit)


async def check_finished(job: Job, unit: Recognised, board: Board, credentials: Credentials, flash: Flash) -> None:
    """Compare the flash with what was intended; the operational firmware then names the unit and proves its key."""
    checks.check_flash(job.recipe, unit.identity, credentials, flash, job.now())
    if job.recipe.operational_answers:
        said = await board.operational_identity()
        checks.check_operational_identity(job.recipe, unit.identity, credentials, said)
        nonce = job.nonce()
        credentials.check_possession(nonce, await board.prove(nonce), "confirm")
    await job.ledger.record(Confirmed())


async def lock_finished(job: Job, unit: Recognised) -> None:
    """Lock a confirmed unit, if the recipe has a lock and the unit has it not yet."""
    if (lock := job.recipe.lock) and lock.difference(unit.target):
        async with job.ledger.step(Phase.LOCK):
            await job.programmer.lock(lock, unit.target.uid)


async def read_factory_data(job: Job) -> ReadBack:
    """Read the factory data, with the certificates that may be in it. The board is reset before and after."""
    async with job.programmer.invocation(READBACK_REGION) as programmer:
        return read_back(await programmer.read(READBACK_REGION))


async def _flash(job: Job, target: Target, identity: Identity, *, unproven: bool) -> Flash:
    """Read the factory data that an earlier attempt may have left on the board."""
    if not target.readable:
        return Locked()
    if not unproven and not checks.may_be_certified(job.recipe, identity):
        return NotRead()
    return await read_factory_data(job)
