"""The procedure: what happens to one board, top to bottom. Everything else exists so that this file can stay plain."""

import secrets
from datetime import UTC, datetime

from station.domain.attempt import (
    CredentialsChosen,
    CredentialsDelivered,
    CSRReceived,
    FactoryDataWritten,
    IdentityReserved,
    Phase,
    UnitIdentified,
)
from station.link.messages import NONCE_SIZE
from station.matter import factory_data
from station.ports import AttemptLedger, Authority, Bench
from station.recipe import READBACK_REGION, Recipe


async def provision(bench: Bench, recipe: Recipe, authority: Authority, ledger: AttemptLedger) -> None:
    """Make a bare board into a unit that any Matter commissioner will accept; whatever is wrong is a fault."""
    async with ledger.step(Phase.RECOGNISE):
        target = await bench.programmer.identify()
        await ledger.record(UnitIdentified.of(target))
        recipe.check_part(target)
        identity = await ledger.reserve_identity(target, recipe)
        await ledger.record(IdentityReserved(identity.serial_number))

    factory_data_write = recipe.factory_data_write(identity)
    provisioning_write = recipe.provisioning_write(identity)
    operational_write = recipe.operational_write(identity)

    async with bench.board() as board:  # its port is open before the reset that makes its firmware speak
        async with bench.programmer.invocation(factory_data_write, provisioning_write) as programmer:
            async with ledger.step(Phase.FLASH_DATA):
                await ledger.record(FactoryDataWritten())
                await programmer.written(factory_data_write)

            async with ledger.step(Phase.FLASH_PROVISIONER):
                await programmer.written(provisioning_write)

        async with ledger.step(Phase.AWAIT_CSR):
            hello = await board.hello()
            recipe.check_same_board(target, hello.uid, hello.key_storage)
            csr = await board.make_csr()
            recipe.check_csr(csr)
            await ledger.record(CSRReceived.of(csr))

        async with ledger.step(Phase.RELAY_TO_PKI):
            credentials = await authority.issue_dac(csr, target.uid)
            recipe.check_credentials(csr, credentials, datetime.now(UTC))
            await ledger.record(CredentialsChosen(credentials.key, credentials.dac_serial_number))

        async with ledger.step(Phase.DELIVER):
            await board.store(credentials)
            nonce = secrets.token_bytes(NONCE_SIZE)
            credentials.check_possession(nonce, await board.prove(nonce), "deliver")
            await ledger.record(CredentialsDelivered(credentials.dac_serial_number))

        async with (
            ledger.step(Phase.FLASH_OPERATIONAL),
            bench.programmer.invocation(READBACK_REGION, operational_write) as programmer,
        ):
            readback = await programmer.read(READBACK_REGION)
            await programmer.written(operational_write)

        async with ledger.step(Phase.CONFIRM):
            recipe.check_readback(identity, credentials, factory_data.decode_readback(readback))
            if recipe.operational_answers:
                recipe.check_operational_identity(identity, credentials, await board.operational_identity())
                nonce = secrets.token_bytes(NONCE_SIZE)
                credentials.check_possession(nonce, await board.prove(nonce), "confirm")
