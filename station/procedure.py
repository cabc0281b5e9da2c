"""The procedure: what happens to one board, top to bottom. Everything else exists so that this file can stay plain.

A board is recognised first. Then the slot chooses: a new board is provisioned, one that holds its certificate is
redelivered, a unit that has passed is reconfirmed.
"""

import secrets
from dataclasses import dataclass, field
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
from station.domain.credentials import Credentials
from station.domain.identity import Identity
from station.domain.target import Target
from station.link.messages import NONCE_SIZE
from station.ports import AttemptLedger, Authority, Bench, Board
from station.recipe import READBACK_REGION, Recipe


@dataclass(frozen=True, slots=True)
class Recognised:
    """A board whose identity is reserved. `flash` is what one that was given a certificate before holds, else empty."""

    target: Target
    identity: Identity
    flash: bytes = field(repr=False)


async def recognise(bench: Bench, recipe: Recipe, ledger: AttemptLedger) -> Recognised:
    """Find out which board this is, without a reset; one that was given a certificate before is read back."""
    async with ledger.step(Phase.RECOGNISE):
        target = await bench.programmer.identify()
        await ledger.record(UnitIdentified.of(target))
        recipe.check_part(target)
        identity = await ledger.reserve_identity(target, recipe)
        await ledger.record(IdentityReserved(identity.serial_number))
        flash = await _read_back(bench) if identity.credentials else b""
    return Recognised(target, identity, flash)


async def provision(
    bench: Bench, recipe: Recipe, authority: Authority, ledger: AttemptLedger, unit: Recognised
) -> None:
    """Make a bare board into a unit that any Matter commissioner will accept; whatever is wrong is a fault."""
    factory_data, provisioner = recipe.factory_data_write(unit.identity), recipe.provisioning_write(unit.identity)

    async with bench.board() as board:  # its port is open before the reset that makes its firmware speak
        async with bench.programmer.invocation(factory_data, provisioner) as programmer:
            async with ledger.step(Phase.FLASH_DATA):
                await ledger.record(FactoryDataWritten())
                await programmer.written(factory_data)

            async with ledger.step(Phase.FLASH_PROVISIONER):
                await programmer.written(provisioner)

        credentials = await _certify(board, recipe, authority, ledger, unit)
        await _ship(bench, board, recipe, ledger, unit.identity, credentials)


async def redeliver(
    bench: Bench, recipe: Recipe, authority: Authority, ledger: AttemptLedger, unit: Recognised
) -> None:
    """Finish a board that holds its certificate: its factory data stays, and it gets no other certificate."""
    provisioner = recipe.provisioning_write(unit.identity)

    async with bench.board() as board:
        async with ledger.step(Phase.FLASH_PROVISIONER), bench.programmer.invocation(provisioner) as programmer:
            await programmer.written(provisioner)

        credentials = await _certify(board, recipe, authority, ledger, unit)
        await _ship(bench, board, recipe, ledger, unit.identity, credentials)


async def reconfirm(
    bench: Bench, recipe: Recipe, _authority: Authority, ledger: AttemptLedger, unit: Recognised
) -> None:
    """See that a unit which has passed is still what it was; nothing is written and nothing is issued."""
    async with bench.board() as board, ledger.step(Phase.CONFIRM):
        await _confirm(board, recipe, unit.identity, unit.identity.issued, unit.flash)


async def _certify(
    board: Board, recipe: Recipe, authority: Authority, ledger: AttemptLedger, unit: Recognised
) -> Credentials:
    """The board's own key gets its certificate, and the board proves that it holds the key."""
    async with ledger.step(Phase.AWAIT_CSR):
        hello = await board.hello()
        recipe.check_same_board(unit.target, hello.uid, hello.key_storage)
        csr = await board.make_csr()
        recipe.check_csr(csr)
        recipe.check_same_key(unit.identity, csr)
        await ledger.record(CSRReceived.of(csr))

    async with ledger.step(Phase.RELAY_TO_PKI):
        credentials = await authority.issue_dac(csr, unit.target.uid)
        recipe.check_credentials(csr, credentials, datetime.now(UTC))
        await ledger.record(CredentialsChosen(credentials.key, credentials.dac_serial_number))

    async with ledger.step(Phase.DELIVER):
        await board.store(credentials)
        nonce = secrets.token_bytes(NONCE_SIZE)
        credentials.check_possession(nonce, await board.prove(nonce), "deliver")
        await ledger.record(CredentialsDelivered(credentials.dac_serial_number))

    return credentials


async def _ship(
    bench: Bench, board: Board, recipe: Recipe, ledger: AttemptLedger, identity: Identity, credentials: Credentials
) -> None:
    """The operational firmware takes the provisioning firmware's place, and the unit is confirmed."""
    operational = recipe.operational_write(identity)

    async with (
        ledger.step(Phase.FLASH_OPERATIONAL),
        bench.programmer.invocation(READBACK_REGION, operational) as programmer,
    ):
        flash = await programmer.read(READBACK_REGION)
        await programmer.written(operational)

    async with ledger.step(Phase.CONFIRM):
        await _confirm(board, recipe, identity, credentials, flash)


async def _confirm(board: Board, recipe: Recipe, identity: Identity, credentials: Credentials, flash: bytes) -> None:
    """What stands in flash is what was intended, and the operational firmware presents it."""
    recipe.check_readback(identity, credentials, flash)
    if recipe.operational_answers:
        recipe.check_operational_identity(identity, credentials, await board.operational_identity())
        nonce = secrets.token_bytes(NONCE_SIZE)
        credentials.check_possession(nonce, await board.prove(nonce), "confirm")


async def _read_back(bench: Bench) -> bytes:
    async with bench.programmer.invocation(READBACK_REGION) as programmer:
        return await programmer.read(READBACK_REGION)
