# SPDX-License-Identifier: Apache-2.0
"""Rates of single parts of the station, without a bench: ledger, verifiers, factory data, frames."""

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from station.adapters.ledger import Ledger
from station.adapters.ledger.journal import AttemptJournal
from station.adapters.system import logs
from station.adapters.system.verifiers import VerifierPool
from station.domain.attempt import (
    Confirmed,
    CoprocessorReady,
    CredentialsChosen,
    CredentialsDelivered,
    CSRReceived,
    FactoryDataWritten,
    IdentityReserved,
    Passed,
    Phase,
    ProcedureChosen,
    ProcedureName,
    UnitIdentified,
)
from station.domain.credentials import Credentials
from station.domain.identity import Lot, OnboardingSecrets
from station.domain.product import Image, KeyStorage, Trust, TrustAnchors, Verify
from station.domain.target import UID, Target
from station.factory_data import flat_tlv
from station.factory_data.flat_tlv import FactoryData, Tag
from station.link import frames, messages
from station.link.messages import Question
from station.matter.certificates.trust import TrustStore
from station.matter.onboarding import spake2p
from station.matter.onboarding.passcode import Discriminator, Passcode
from station.procedure.identity import identity_of
from station.recipe.commissioner import Commissioner
from station.recipe.recipe import OwnPKI, Recipe

ITERATIONS = 1000  # as in the demonstration's recipe
ATTEMPTS_ALONE = 20
TASKS = 64
ATTEMPTS_OF_A_TASK = 2
VERIFIERS = 400
CODEC_SECONDS = 0.3
CERTIFICATE = bytes(490)  # the usual length of a DAC and of a PAI
CSR_SIZE = 233
STACK = CoprocessorReady("5e" * 32, "1.2.0.0", "1.24.0.3", "1.24.0.3", upgraded=False)


def ledger_rates(folder: Path) -> tuple[float, float]:
    """Durable units of work per second in whole attempts: one after the other, and from 64 tasks at once."""
    with logs.configured("error", None):
        return asyncio.run(_ledger_rates(folder))


async def _ledger_rates(folder: Path) -> tuple[float, float]:
    async with Ledger.open(folder / "ledger.sqlite", station="benchmark", register=folder) as ledger:
        units = Units(ledger)
        units.prepare(ATTEMPTS_ALONE + TASKS * ATTEMPTS_OF_A_TASK + 1)
        await units.make(1)  # the first attempt includes SQLAlchemy's compilation of the statements
        committed, began = units.commits, time.perf_counter()
        await units.make(ATTEMPTS_ALONE)
        alone = (units.commits - committed) / (time.perf_counter() - began)
        in_an_attempt = (units.commits - committed) // ATTEMPTS_ALONE  # alone, each unit of work is a commit
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(TASKS):
                group.create_task(units.make(ATTEMPTS_OF_A_TASK))
        return alone, in_an_attempt * TASKS * ATTEMPTS_OF_A_TASK / (time.perf_counter() - began)


class Units:
    """Makes whole attempts in a ledger, without boards."""

    def __init__(self, ledger: Ledger, first: int = 1) -> None:
        self._ledger = ledger
        self._recipe = _recipe()
        self._first = first
        self._numbers = count(first)
        self._credentials: Iterator[Credentials] = iter(())

    @property
    def commits(self) -> int:
        return int(str(self._ledger.status["commits"]))

    def prepare(self, units: int) -> None:
        """Makes the certificates in advance, since the measurement must not include signing."""
        self._credentials = iter([_credentials(number) for number in range(self._first, self._first + units)])

    async def take(self) -> OnboardingSecrets:
        """A `SecretSource` that costs nothing."""
        return OnboardingSecrets(Passcode.random(), Discriminator.random(), bytes(32), ITERATIONS, bytes(97))

    async def make(self, attempts: int) -> None:
        for _ in range(attempts):
            await self._attempt(next(self._numbers), next(self._credentials))

    async def recognised(self, number: int) -> AttemptJournal:
        """An attempt that has begun, on the board with this number."""
        target = _target(number)
        journal = await self._ledger.attempt(slot="1", probe="066AFF", tty="ttyACM0", recipe=self._recipe, secrets=self)
        async with journal.step(Phase.RECOGNISE):
            await journal.record(UnitIdentified.of(target))
            identity = await identity_of(target.uid, self._recipe, journal)
            await journal.record(IdentityReserved(identity.serial_number))
        await journal.record(ProcedureChosen(ProcedureName.PROVISION))
        return journal

    async def _attempt(self, number: int, credentials: Credentials) -> None:
        ledger, uid = self._ledger, _target(number).uid
        key, serial_number = credentials.key, credentials.dac_serial_number
        journal = await self.recognised(number)
        async with journal.step(Phase.COPROCESSOR):
            await journal.record(STACK)
        async with journal.step(Phase.FLASH_DATA):
            await journal.record(FactoryDataWritten())
        async with journal.step(Phase.FLASH_PROVISIONER):
            pass
        async with journal.step(Phase.AWAIT_CSR):
            await journal.record(CSRReceived(key))
        async with journal.step(Phase.RELAY_TO_PKI):
            await ledger.issuance.of_key(key, uid)
            await ledger.issuance.submitted(key, bytes(CSR_SIZE), uid)
            await ledger.issuance.record_issued(key, credentials)
            await journal.record(CredentialsChosen(key, serial_number))
        async with journal.step(Phase.DELIVER):
            await journal.record(CredentialsDelivered(serial_number))
        async with journal.step(Phase.FLASH_OPERATIONAL):
            pass
        async with journal.step(Phase.CONFIRM):
            await journal.record(Confirmed())
        await journal.finish(Passed())


def _recipe() -> Recipe:
    images = [Image(name, bytes(1024), 0x08000000, "1.0") for name in ("provisioning", "operational")]
    return Recipe(
        name="benchmark",
        sha256="5e" * 32,
        product={},
        vendor_id=0xFFF1,
        product_id=0x8004,
        key_storage=KeyStorage.FLASH,
        trust=Trust.DEVELOPMENT,
        lot=Lot("BENCHMARK", "SN{:08d}", first=1, size=99_999_999),
        iterations=ITERATIONS,
        provisioning_image=images[0],
        operational_image=images[1],
        operational_answers=frozenset(),
        verify=Verify.FAST,
        certification=OwnPKI(TrustAnchors(b"", b""), Commissioner(TrustStore({}, {}))),
    )


def _target(number: int) -> Target:
    return Target(UID(number.to_bytes(12, "big")), 0x495, "Rev Y", 3300, 0xAA, "V2J45M30", "2.19.0")


def _credentials(serial_number: int) -> Credentials:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    attributes = [x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME]
    name = x509.Name([x509.NameAttribute(each, f"benchmark {serial_number:037}") for each in attributes])
    serial_number += 1 << 126  # as long as a PKI's serial numbers
    builder = x509.CertificateBuilder(name, name, key.public_key(), serial_number, now, now + timedelta(days=1))
    return Credentials(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER), CERTIFICATE)


def verifier_rate() -> float:
    """Onboarding secrets per second from the daemon's pool: one thread, 1,000 iterations."""

    async def rate() -> float:
        async with VerifierPool(ITERATIONS, size=8) as pool:
            for _ in range(8):
                await pool.take()
            began = time.perf_counter()
            for _ in range(VERIFIERS):
                await pool.take()
            return VERIFIERS / (time.perf_counter() - began)

    return asyncio.run(rate())


def factory_data_rates() -> tuple[float, float]:
    """Encodings and decodings per second of a provisioned unit's factory data."""
    data = _factory_data()
    block = flat_tlv.encode(data)
    return _a_second(lambda: flat_tlv.encode(data)), _a_second(lambda: flat_tlv.decode(block))


def frame_rates() -> tuple[float, float]:
    """Frames per second of the largest question, DAC and PAI: built, and cut out of a stream."""
    payload = messages.store_payload(os.urandom(490), os.urandom(463))
    body = messages.body(Question.STORE, 1, payload)
    frame = frames.encode(body)
    reader = frames.FrameReader()
    return _a_second(lambda: frames.encode(body)), _a_second(lambda: reader.feed(frame))


def _factory_data() -> FactoryData:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    passcode, salt = Passcode.random(), spake2p.random_salt()
    return FactoryData(
        {
            Tag.CERTIFICATION_DECLARATION: secrets.token_bytes(235),
            Tag.DEVICE_ATTESTATION_CERTIFICATE: CERTIFICATE,
            Tag.PAI_CERTIFICATE: CERTIFICATE,
            Tag.DEVICE_ATTESTATION_PUB_KEY: point,
            Tag.SETUP_DISCRIMINATOR: Discriminator.random().value.to_bytes(2, "little"),
            Tag.SPAKE2_ITERATION_COUNT: ITERATIONS.to_bytes(4, "little"),
            Tag.SPAKE2_SALT: salt,
            Tag.SPAKE2_VERIFIER: spake2p.verifier(passcode, salt, ITERATIONS),
            Tag.SPAKE2_SETUP_PASSCODE: passcode.value.to_bytes(4, "little"),
            Tag.VENDOR_NAME: b"STMicroelectronics",
            Tag.VENDOR_ID: bytes.fromhex("f1ff"),
            Tag.PRODUCT_NAME: b"STM32WB Demo App",
            Tag.PRODUCT_ID: bytes.fromhex("0480"),
            Tag.SERIAL_NUMBER: b"LT2600000001",
            Tag.MANUFACTURING_DATE: b"20261123",
            Tag.HARDWARE_VERSION: bytes.fromhex("0100"),
            Tag.HARDWARE_VERSION_STRING: b"TEST_VERSION",
        }
    )


def _a_second(work: Callable[[], object]) -> float:
    done, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < CODEC_SECONDS:
        for _ in range(50):
            work()
        done += 50
    return done / elapsed
