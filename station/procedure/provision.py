# SPDX-License-Identifier: Apache-2.0
"""The procedure: what happens to one board, top to bottom. Everything else exists so that this file can stay plain.

A board is recognised first; then the slot chooses by what it holds. `without_pki.py` does without the line's PKI.
"""

import secrets
from datetime import UTC, datetime

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
from station.domain.memory_map import READBACK_REGION
from station.interfaces import Board, Job, Recognised
from station.link.messages import NONCE_SIZE
from station.procedure.coprocessor import prepare_coprocessor
from station.procedure.identity import adopt, check_ours, identity_of


async def recognise(job: Job) -> Recognised:
    """Find out which board this is, without a reset; one that was given a certificate before is read back."""
    async with job.ledger.step(Phase.RECOGNISE):
        target = await job.programmer.identify()
        await job.ledger.record(UnitIdentified.of(target))
        job.recipe.check_part(target)
        await check_ours(target, job.ledger)
        identity = await identity_of(target.uid, job.recipe, job.ledger)
        await job.ledger.record(IdentityReserved(identity.serial_number))
        job.recipe.check_protection(target, identity)
        job.recipe.check_recorded_key(target, identity)
        job.recipe.check_coprocessor(identity)
        returning = identity.credentials or (job.recipe.delivery and identity.attempts > 1)
        flash = await _read_back(job) if returning and target.readable else b""
    return Recognised(target, identity, flash)


async def provision(job: Job, unit: Recognised) -> None:
    """Make a bare board into a unit that any Matter commissioner will accept; whatever is wrong is a fault."""
    await prepare_coprocessor(job, unit)
    factory_data = job.recipe.factory_data_write(unit.identity)
    provisioner = job.recipe.provisioning_write(unit.identity)

    async with job.bench.board() as board:  # its port is open before the reset that makes its firmware speak
        async with job.programmer.invocation(factory_data, provisioner) as programmer:
            async with job.ledger.step(Phase.FLASH_DATA):
                await job.ledger.record(FactoryDataWritten())
                await programmer.written(factory_data)

            async with job.ledger.step(Phase.FLASH_PROVISIONER):
                await programmer.written(provisioner)

        credentials = await _certify(job, unit, board)
        flash = await flash_operational(job, unit)
        await confirm(job, unit, board, credentials, flash)


async def redeliver(job: Job, unit: Recognised) -> None:
    """Finish a board that holds its certificate: its factory data stays, and it gets no other certificate."""
    provisioner = job.recipe.provisioning_write(unit.identity)

    async with job.bench.board() as board:
        async with job.ledger.step(Phase.FLASH_PROVISIONER), job.programmer.invocation(provisioner) as programmer:
            await programmer.written(provisioner)

        credentials = await _certify(job, unit, board)
        flash = await flash_operational(job, unit)
        await confirm(job, unit, board, credentials, flash)


async def reconfirm(job: Job, unit: Recognised) -> None:
    """See that a confirmed unit is still what it was; nothing is issued, and nothing written but a lock that is missing."""
    async with job.bench.board() as board:
        flash = unit.flash if unit.target.readable else None
        await confirm(job, unit, board, unit.identity.issued, flash)


async def _certify(job: Job, unit: Recognised, board: Board) -> Credentials:
    """The board's own key gets its certificate, and the board proves that it holds the key."""
    async with job.ledger.step(Phase.AWAIT_CSR):
        hello = await board.hello()
        job.recipe.check_same_board(unit.target, hello.uid, hello.key_storage)
        csr = await board.make_csr()
        job.recipe.check_csr(csr)
        job.recipe.check_known_certificate(unit.identity, csr, datetime.now(UTC))
        await job.ledger.record(CSRReceived.of(csr))

    async with job.ledger.step(Phase.RELAY_TO_PKI):
        credentials = await job.authority.issue_dac(csr, unit.target.uid)
        job.recipe.check_credentials(csr, credentials, datetime.now(UTC))
        await job.ledger.record(CredentialsChosen(credentials.key, credentials.dac_serial_number))

    async with job.ledger.step(Phase.DELIVER):
        await board.store(credentials)
        nonce = secrets.token_bytes(NONCE_SIZE)
        credentials.check_possession(nonce, await board.prove(nonce), "deliver")
        await job.ledger.record(CredentialsDelivered(credentials.dac_serial_number))

    return credentials


async def flash_operational(job: Job, unit: Recognised) -> bytes:
    """The operational firmware takes the provisioning firmware's place. Returns what stood in flash before, to be confirmed."""
    operational = job.recipe.operational_write(unit.identity)

    async with (
        job.ledger.step(Phase.FLASH_OPERATIONAL),
        job.programmer.invocation(READBACK_REGION, operational) as programmer,
    ):
        flash = await programmer.read(READBACK_REGION)
        await programmer.written(operational)
    return flash


async def confirm(
    job: Job, unit: Recognised, board: Board, credentials: Credentials | None, flash: bytes | None
) -> None:
    """What stands in flash is what was intended, the operational firmware presents it, and then the unit may be locked.

    Certificates that somebody else put there are None, until they are found. The flash of a locked unit cannot be read,
    and is None.
    """
    async with job.ledger.step(Phase.CONFIRM):
        if credentials is None:
            delivered = job.recipe.delivered(unit.identity, flash or b"", datetime.now(UTC))
            await adopt(delivered, unit.target.uid, job.ledger)
            credentials = delivered.credentials
        if flash is not None:
            job.recipe.check_readback(unit.identity, credentials, flash)
            job.recipe.check_commissionable(unit.identity, flash, datetime.now(UTC))
        if job.recipe.operational_answers:
            said = await board.operational_identity()
            job.recipe.check_operational_identity(unit.identity, credentials, said)
            nonce = secrets.token_bytes(NONCE_SIZE)
            credentials.check_possession(nonce, await board.prove(nonce), "confirm")
        await job.ledger.record(Confirmed())

    lock = job.recipe.lock
    if lock is not None and lock.difference(unit.target):
        async with job.ledger.step(Phase.LOCK):
            await job.programmer.lock(lock, unit.target.uid)


async def _read_back(job: Job) -> bytes:
    async with job.programmer.invocation(READBACK_REGION) as programmer:
        return await programmer.read(READBACK_REGION)
