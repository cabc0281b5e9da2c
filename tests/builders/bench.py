# SPDX-License-Identifier: Apache-2.0
"""Builders for the ledger's tests: a recipe, boards, ordered secrets, certificates, and the steps of an attempt."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from station.adapters.ledger.journal import AttemptJournal
from station.adapters.ledger.ledger import Ledger
from station.domain.attempt import (
    ClockAccepted,
    Confirmed,
    CredentialsChosen,
    CredentialsDelivered,
    CSRReceived,
    FactoryDataWritten,
    IdentityReserved,
    Passed,
    Phase,
    UnitIdentified,
)
from station.domain.credentials import Credentials
from station.domain.identity import Identity, Lot, OnboardingSecrets
from station.domain.product import Image, KeyStorage, Trust, TrustAnchors, Verify
from station.domain.target import UID, Target
from station.interfaces import SecretSource
from station.matter.certificates.trust import TrustStore
from station.matter.onboarding.passcode import Discriminator, Passcode
from station.procedure.identity import identity_of
from station.recipe.commissioner import Commissioner
from station.recipe.recipe import OwnPKI, Recipe

LOT = Lot("LOT-1", "SN{:06d}", first=1, size=1000)


def image(name: str) -> Image:
    return Image(name, name.encode(), 0x08000000, "1.0")


RECIPE = Recipe(
    name="lighting",
    sha256="5e" * 32,
    product={},
    vendor_id=0xFFF1,
    product_id=0x8004,
    key_storage=KeyStorage.FLASH,
    trust=Trust.DEVELOPMENT,
    lot=LOT,
    iterations=1000,
    provisioning_image=image("provisioning-flash"),
    operational_image=image("operational-flash"),
    operational_answers=frozenset(),
    verify=Verify.FAST,
    certification=OwnPKI(TrustAnchors(b"", b""), Commissioner(TrustStore({}, {}))),
)


def recipe_with(lot: Lot) -> Recipe:
    return replace(RECIPE, lot=lot)


def target(board: int) -> Target:
    return Target(UID(board.to_bytes(12, "big")), 0x495, "Rev Y", 3300, 0xAA, "V3J15M6", "2.19.0")


def onboarding(number: int) -> OnboardingSecrets:
    """Onboarding secrets by number; no two numbers share passcode and discriminator."""
    salt = b"canary salt " + number.to_bytes(4, "big")
    return OnboardingSecrets(
        Passcode(20202021 + number), Discriminator((3840 + number) % 4096), salt, 1000, b"canary verifier".ljust(97)
    )


@dataclass
class Secrets:
    """A source of secrets: first those of the given numbers, then those of the following numbers."""

    numbers: tuple[int, ...] = ()
    taken: int = 0

    async def take(self) -> OnboardingSecrets:
        self.taken += 1
        return onboarding(self.numbers[self.taken - 1] if self.taken <= len(self.numbers) else 1000 + self.taken)


def credentials(serial_number: int, key: ec.EllipticCurvePrivateKey | None = None) -> Credentials:
    """A certificate with this serial number."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"TEST DAC {serial_number}")])
    now = datetime.now(UTC)
    dac = x509.CertificateBuilder(name, name, key.public_key(), serial_number, now, now + timedelta(days=1)).sign(
        key, hashes.SHA256()
    )
    return Credentials(dac.public_bytes(serialization.Encoding.DER), b"the PAI")


async def begun(
    ledger: Ledger,
    secrets: SecretSource,
    *,
    slot: str = "1",
    recipe: Recipe = RECIPE,
    accepted: ClockAccepted | None = None,
) -> AttemptJournal:
    return await ledger.attempt(
        slot=slot, probe="066AFF", tty="/dev/ttyACM0", recipe=recipe, secrets=secrets, accepted=accepted
    )


async def recognised(journal: AttemptJournal, board: int, recipe: Recipe = RECIPE) -> Identity:
    """Carries out the first step of an attempt on this board."""
    async with journal.step(Phase.RECOGNISE):
        await journal.record(UnitIdentified.of(target(board)))
        identity = await identity_of(target(board).uid, recipe, journal)
        await journal.record(IdentityReserved(identity.serial_number))
    return identity


async def certified(
    journal: AttemptJournal, board: int, dac_serial_number: str = "0A", recipe: Recipe = RECIPE
) -> Identity:
    """Carries out an attempt up to the certificate."""
    identity = await recognised(journal, board, recipe)
    async with journal.step(Phase.FLASH_DATA):
        await journal.record(FactoryDataWritten())
    async with journal.step(Phase.FLASH_PROVISIONER):
        pass
    async with journal.step(Phase.AWAIT_CSR):
        await journal.record(CSRReceived("c0" * 32))
    async with journal.step(Phase.RELAY_TO_PKI):
        await journal.record(CredentialsChosen("c0" * 32, dac_serial_number))
    return identity


async def passed(
    journal: AttemptJournal, board: int, dac_serial_number: str = "0A", recipe: Recipe = RECIPE
) -> Identity:
    """Carries out a whole attempt."""
    identity = await certified(journal, board, dac_serial_number, recipe)
    async with journal.step(Phase.DELIVER):
        await journal.record(CredentialsDelivered(dac_serial_number))
    async with journal.step(Phase.FLASH_OPERATIONAL):
        pass
    async with journal.step(Phase.CONFIRM):
        await journal.record(Confirmed())
    await journal.finish(Passed())
    return identity


def rows(path: Path, query: str, *values: object) -> list[tuple[object, ...]]:
    """Reads rows from the file without any code of the station."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query, values).fetchall()


def execute(path: Path, statement: str, *values: object) -> None:
    """Changes the file without the station's knowledge."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


# Another program that holds the ledger until its standard input ends.
_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute(sys.argv[2])
connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(path: Path, how: str = "BEGIN EXCLUSIVE") -> Iterator["subprocess.Popen[str]"]:
    """Another process holds the ledger for the block."""
    command = [sys.executable, "-c", _HOLD, str(path), how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()
